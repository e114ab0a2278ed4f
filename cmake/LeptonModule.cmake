# One static library per folder of src/lepton, named after it, with the dependencies that the folder
# may include (tools/check_includes.py holds the table).
#
#   lepton_module(memory SOURCES a.cc b.cc DEPENDS lepton::core)
function(lepton_module name)
    cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;PRIVATE_DEPENDS" ${ARGN})
    add_library(lepton_${name} STATIC ${ARG_SOURCES})
    add_library(lepton::${name} ALIAS lepton_${name})
    target_include_directories(lepton_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>)
    target_link_libraries(lepton_${name}
        PUBLIC $<BUILD_INTERFACE:lepton_flags> ${ARG_DEPENDS}
        PRIVATE ${ARG_PRIVATE_DEPENDS})
    # Used in the installed C++ package, whose users know only lepton::client and lepton::server.
    set_target_properties(lepton_${name} PROPERTIES EXPORT_NAME module_${name})
endfunction()

# A plug-in of engines/<name>: lepton_engine_<name>.so in lib/engines of the build tree.
function(lepton_engine name)
    cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
    add_library(lepton_engine_${name} MODULE ${ARG_SOURCES})
    set_target_properties(lepton_engine_${name} PROPERTIES
        PREFIX ""
        LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib/engines)
    # The server has its own copy of our static libraries, so only the entry point is exported.
    target_link_options(lepton_engine_${name} PRIVATE -Wl,--exclude-libs,ALL)
    target_link_libraries(lepton_engine_${name} PRIVATE lepton_flags lepton::engine ${ARG_DEPENDS})
endfunction()

# Builds all *_test.cc below tests/unit/<name> as one program, <name>_test, and registers each test
# with ctest.
function(lepton_unit_test name)
    cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/unit/${name}/*_test.cc)
    if(NOT sources)
        return()
    endif()
    add_executable(${name}_test ${sources})
    target_include_directories(${name}_test PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    target_link_libraries(${name}_test PRIVATE lepton_flags lepton::${name} ${ARG_DEPENDS} GTest::gmock_main)
    gtest_discover_tests(${name}_test DISCOVERY_TIMEOUT 60)
endfunction()
