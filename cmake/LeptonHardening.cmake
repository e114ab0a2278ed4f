# Flags that make a memory error harder to exploit: compiled into whatever links lepton_flags, and
# checked on the wheel's binaries by tests/install/test_hardening.py. Sanitizers bring their own.
#
# The flags and their reasons: OpenSSF, "Compiler Options Hardening Guide for C and C++".
include(CheckCXXCompilerFlag)
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)

foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection=full)
    string(MAKE_C_IDENTIFIER "LEPTON_HAS${flag}" known)
    check_cxx_compiler_flag(${flag} ${known})
    if(${known})
        target_compile_options(lepton_flags INTERFACE ${flag})
    endif()
endforeach()
# Checked calls exist only in optimized code. A distribution's compiler may already define this.
target_compile_options(lepton_flags INTERFACE
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
target_link_options(lepton_flags INTERFACE LINKER:-z,relro,-z,now,-z,noexecstack)
