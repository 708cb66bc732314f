"""What would make a load fail, or the kernel that it starts hang, seen beforehand.

Each module here has the checks of one noun; ``examination`` goes through them all. What cannot be
told is no finding: a false alarm teaches people to overlook the true ones. Sources of what is
permitted: kernel/kexec_core.c and Documentation/admin-guide/sysctl/kernel.rst.
"""
