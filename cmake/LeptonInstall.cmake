# The product is what a user gets: the server and the engines, without tests and tools. It is
# installed in the layout of a wheel, below site-packages:
#
#   lepton/bin/lepton-server
#   lepton/bin/lepton-bench
#   lepton/_native.<Python's tag>.so
#   lepton/lib/engines/lepton_engine_<name>.so   finds its runtime in the same site-packages
#   lepton/lib/engines/lepton-probe              tries models that are new on the machine
#   lepton/examples/digits/                      what `lepton demo` serves
add_custom_target(product DEPENDS lepton-server lepton-bench lepton-probe lepton_engine_openvino)
if(TARGET lepton_native)
    add_dependencies(product lepton_native)
    install(TARGETS lepton_native LIBRARY DESTINATION lepton COMPONENT product)
endif()

install(TARGETS lepton-server lepton-bench RUNTIME DESTINATION lepton/bin COMPONENT product)

install(TARGETS lepton-probe RUNTIME DESTINATION lepton/lib/engines COMPONENT product)
install(TARGETS lepton_engine_openvino LIBRARY DESTINATION lepton/lib/engines COMPONENT product)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/examples/digits DESTINATION lepton/examples COMPONENT product
    PATTERN __pycache__ EXCLUDE)
