# The list of what is compiled into the product (headers, static libraries), for anyone who looks
# for a version with a known vulnerability:
# lepton_serving-<version>.dist-info/sboms/compiled-in.cdx.json, the place that PEP 770 defines.
# auditwheel lists the libraries that are copied into the wheel beside it.
include_guard()

file(STRINGS /usr/include/xxhash.h xxhash_lines REGEX "#define +XXH_VERSION_(MAJOR|MINOR|RELEASE) +[0-9]+")
string(REGEX REPLACE "[^0-9;]" "" xxhash_version "${xxhash_lines}")
string(REPLACE ";" "." xxhash_version "${xxhash_version}")

set(compiled_in
    boost=${Boost_VERSION_STRING}
    cli11=${CLI11_VERSION}
    nanobind=${nanobind_VERSION}
    tl-expected=${tl-expected_VERSION}
    xxhash=${xxhash_version})
set(components "")
foreach(part IN LISTS compiled_in)
    string(REPLACE "=" ";" part ${part})
    list(POP_FRONT part name version)
    if(NOT version)
        message(FATAL_ERROR "The version of ${name}, which is compiled in, is not known")
    endif()
    list(APPEND components
        "    {\"type\": \"library\", \"name\": \"${name}\", \"version\": \"${version}\", \"purl\": \"pkg:generic/${name}@${version}\"}")
endforeach()
list(JOIN components ",\n" components)
configure_file(${CMAKE_CURRENT_LIST_DIR}/compiled-in.cdx.json.in
    ${PROJECT_BINARY_DIR}/compiled-in.cdx.json @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/compiled-in.cdx.json
    DESTINATION ${SKBUILD_METADATA_DIR}/sboms COMPONENT product)
