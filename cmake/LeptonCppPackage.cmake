# The C++ package: cmake --build build/release --target cpp &&
# cmake --install build/release --component cpp --prefix P. Then find_package(lepton) gives
#
#   lepton::client   lepton::Client, for a server elsewhere
#   lepton::server   lepton::Server, in the own process; engines come with the wheel, or from lib/engines
#                    of the build tree (ServerOptions::engines_dir)
#
# Their targets are two exports: a user of the client alone needs nothing of the server.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/lepton)

set_target_properties(lepton_client PROPERTIES EXPORT_NAME client)
set_target_properties(lepton_inprocess PROPERTIES EXPORT_NAME server)
set(client_targets lepton_core lepton_client)
set(server_targets lepton_model_proto lepton_otlp_proto lepton_proto)
foreach(module memory observe engine model scheduler pipeline net protocol server inprocess)
    list(APPEND server_targets lepton_${module})
endforeach()
add_custom_target(cpp DEPENDS ${client_targets} ${server_targets})

foreach(package client server)
    install(TARGETS ${${package}_targets}
        EXPORT lepton-${package}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}/lepton COMPONENT cpp
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
    install(EXPORT lepton-${package}
        NAMESPACE lepton::
        DESTINATION ${package_dir}
        COMPONENT cpp)
endforeach()

install(DIRECTORY ${PROJECT_SOURCE_DIR}/clients/cpp/include/lepton
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT cpp FILES_MATCHING PATTERN *.h)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/src/lepton/core
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/lepton COMPONENT cpp FILES_MATCHING PATTERN *.h)

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/lepton-config.cmake.in
    ${PROJECT_BINARY_DIR}/lepton-config.cmake
    INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/lepton-config-version.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/lepton-config.cmake ${PROJECT_BINARY_DIR}/lepton-config-version.cmake
    DESTINATION ${package_dir} COMPONENT cpp)
