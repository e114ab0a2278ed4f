# OpenVINO comes from its Python wheel, which contains headers, libraries and a CMake package. The
# interpreter is that of the virtual environment that `make build` fills, or that of the wheel
# build.
if(NOT OpenVINO_DIR)
    find_package(Python COMPONENTS Interpreter REQUIRED)
    execute_process(
        COMMAND ${Python_EXECUTABLE} -c "import importlib.util as u; print(u.find_spec('openvino').submodule_search_locations[0])"
        OUTPUT_VARIABLE openvino_root OUTPUT_STRIP_TRAILING_WHITESPACE
        RESULT_VARIABLE openvino_missing ERROR_QUIET)
    if(openvino_missing)
        message(FATAL_ERROR "OpenVINO is not installed for ${Python_EXECUTABLE}; run: ${Python_EXECUTABLE} -m pip install openvino")
    endif()
    set(OpenVINO_DIR ${openvino_root}/cmake CACHE PATH "Folder of OpenVINOConfig.cmake" FORCE)
endif()
find_package(OpenVINO REQUIRED COMPONENTS Runtime)
