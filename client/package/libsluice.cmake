# libsluice, shared and static, and what is installed. Both hold one object: of the rooms only what the
# functions in libsluice.map need, linked together ahead of time, so that internal names are local in
# the static library, too, and cannot clash with a program's own.

set(package ${CMAKE_CURRENT_LIST_DIR})
set(map ${package}/libsluice.map)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${map})
file(STRINGS ${map} exported REGEX "^ +slu_")
string(REGEX MATCHALL "slu_[a-z0-9_]+" exported "${exported}")
list(TRANSFORM exported PREPEND "-Wl,--undefined=" OUTPUT_VARIABLE wanted)
list(TRANSFORM exported PREPEND "--keep-global-symbol=" OUTPUT_VARIABLE kept)

set(rooms slu_client slu_proto slu_schema slu_config slu_link slu_wire slu_crypto slu_base)
list(TRANSFORM rooms REPLACE "(.+)" "$<TARGET_FILE:\\1>" OUTPUT_VARIABLE archives)
set(whole ${PROJECT_BINARY_DIR}/libsluice.o)
add_custom_command(
    OUTPUT ${whole}
    COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o ${whole} ${wanted}
            -Wl,--start-group ${archives} -Wl,--end-group
    COMMAND ${CMAKE_OBJCOPY} ${kept} ${whole}
    DEPENDS ${rooms} ${map}
    COMMENT "Linking libsluice.o"
    VERBATIM COMMAND_EXPAND_LISTS)
add_custom_target(libsluice_object DEPENDS ${whole})
set_source_files_properties(${whole} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)

add_library(libsluice SHARED ${whole})
set_target_properties(libsluice PROPERTIES
    OUTPUT_NAME sluice EXPORT_NAME sluice LINKER_LANGUAGE C
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${map})
target_link_options(libsluice PRIVATE -Wl,--version-script=${map} -Wl,--as-needed)
if(NOT SLU_SANITIZE) # a sanitizer's functions are the program's
    target_link_options(libsluice PRIVATE -Wl,-z,defs)
endif()
foreach(dependency libsodium libprotobuf-c jansson)
    target_link_libraries(libsluice PRIVATE ${${dependency}_LINK_LIBRARIES})
endforeach()
target_link_libraries(libsluice PRIVATE nng Threads::Threads)

add_library(libsluice_static STATIC ${whole})
set_target_properties(libsluice_static PROPERTIES
    OUTPUT_NAME sluice EXPORT_NAME static LINKER_LANGUAGE C)
target_link_libraries(libsluice_static INTERFACE sodium protobuf-c jansson nng Threads::Threads)

foreach(library libsluice libsluice_static)
    add_dependencies(${library} libsluice_object)
    target_include_directories(${library} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_compile_features(${library} INTERFACE c_std_99)
endforeach()

# ---- what is installed ----

set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Sluice)
install(TARGETS libsluice libsluice_static EXPORT SluiceTargets)
install(TARGETS sluice sluiced)
install(DIRECTORY include/sluice DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT SluiceTargets NAMESPACE Sluice:: DESTINATION ${cmake_dir})

include(CMakePackageConfigHelpers)
configure_package_config_file(${package}/SluiceConfig.cmake.in SluiceConfig.cmake INSTALL_DESTINATION ${cmake_dir})
write_basic_package_version_file(SluiceConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/SluiceConfig.cmake ${PROJECT_BINARY_DIR}/SluiceConfigVersion.cmake
        DESTINATION ${cmake_dir})

# The prefix as seen from where sluice.pc lies, so that the tree may be moved.
file(RELATIVE_PATH to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${package}/sluice.pc.in sluice.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/sluice.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
