#!/usr/bin/env python3
"""What `cmake --install` puts into a prefix, and programs that are built against that, outside the tree."""
import re

import scenario
from cluster import Failed
from package import ROOT, package, run

VERSION_NODE = "SLUICE_0"

# What a program may be handed: headers, libraries, packages, two programs. Nothing else is installed.
INSTALLED = [r"bin/(sluice|sluiced)", r"include/sluice/\w+\.h", r"LIB/libsluice\.(a|so|so\.0|so\.\d+\.\d+\.\d+)",
             r"LIB/pkgconfig/sluice\.pc", r"LIB/cmake/Sluice/Sluice(Config|ConfigVersion|Targets|Targets-\w+)\.cmake"]

LOOK = r"""
#include <sluice/chain.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct slu_chain *chain;
    char why[256];
    if (argc < 2 || slu_chain_load(&chain, argv[1], why, sizeof why))
        return 1;
    printf("%s %u\n", slu_chain_name(chain), (unsigned)slu_chain_nodes(chain));
    slu_chain_free(chain);
    return 0;
}
"""

CMAKE = """
cmake_minimum_required(VERSION 3.16)
project(look C)
find_package(Sluice 0.1 REQUIRED)
add_executable(shared look.c)
target_link_libraries(shared PRIVATE Sluice::sluice)
add_executable(static look.c)
target_link_libraries(static PRIVATE Sluice::static)
"""


def declared(header):
    """The functions that a header declares."""
    text = re.sub(r"/\*.*?\*/|^\s*#(?:[^\n]*\\\n)*[^\n]*", "", header.read_text(), flags=re.DOTALL | re.MULTILINE)
    text = text.replace('extern "C" {', "")
    return set(re.findall(r"\b(slu_\w+)\s*\([^;{]*\)\s*;", text))


def exported(library):
    """{name: version} of what a shared library gives to others."""
    names = re.findall(r"^\S+ (\w) (\S+?)@+(\S+)$", run("nm", "-D", "--defined-only", library), re.MULTILINE)
    return {name: version for kind, name, version in names}


def scenario_files(bin_dir):
    p = package(bin_dir)
    lib = re.escape(p.cache["CMAKE_INSTALL_LIBDIR"])
    files = [str(path.relative_to(p.prefix)) for path in p.prefix.rglob("*") if not path.is_dir()]
    allowed = [pattern.replace("LIB", lib) for pattern in INSTALLED]
    for name in files:
        if not any(re.fullmatch(pattern, name) for pattern in allowed):
            raise Failed(f"{name} should not be installed")
    for pattern in allowed:
        if not any(re.fullmatch(pattern, name) for name in files):
            raise Failed(f"nothing like {pattern} is installed")
    ours = {path.name for path in (ROOT / "include" / "sluice").glob("*.h")}
    if {path.name for path in p.headers} != ours:
        raise Failed("the public headers are not all installed")


def scenario_headers(bin_dir):
    """Each compiles alone, anywhere, as C and as C++, and does what it says when it comes twice."""
    p = package(bin_dir)
    strict = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I", p.prefix / "include"]
    for header in p.headers:
        twice = f"#include <sluice/{header.name}>\n" * 2 + "int main(void) { return 0; }\n"
        for name, compiler in (("alone.c", ["cc", "-std=c17"]), ("alone.cpp", ["g++", "-std=c++17"])):
            source = p.home / name
            source.write_text(twice)
            run(*compiler, *strict, source)


def scenario_symbols(bin_dir):
    """The libraries give what the headers declare, no more and no less."""
    p = package(bin_dir)
    functions = set().union(*(declared(header) for header in p.headers))
    names = exported(p.lib / "libsluice.so")
    names.pop(VERSION_NODE, None)
    if len(functions) < 10 or set(names) != functions:
        raise Failed(f"libsluice.so and its headers differ in {sorted(functions ^ set(names))}")
    if set(names.values()) != {VERSION_NODE}:
        raise Failed(f"versions {set(names.values())}")
    archive = run("nm", "-g", "--defined-only", p.lib / "libsluice.a")
    names = set(re.findall(r"^\S+ [A-Z] (\w+)$", archive, re.MULTILINE))
    if names != functions:
        raise Failed(f"libsluice.a and the headers differ in {sorted(functions ^ names)[:20]}")


def scenario_programs(bin_dir):
    """Programs built through pkg-config and through CMake, with either library, run."""
    p = package(bin_dir)
    p.run(p.prefix / "bin" / "sluice", "genesis", "--nodes", 4, "--dir", p.home / "chain", "--base-port", 25000)
    name = re.search(r'"name":\s*"(.*?)"', (p.home / "chain" / "genesis.json").read_text())[1]
    (p.home / "look.c").write_text(LOOK)
    (p.home / "CMakeLists.txt").write_text(CMAKE)
    made = p.home / "made"
    run("cmake", "-S", p.home, "-B", made, f"-DCMAKE_PREFIX_PATH={p.prefix}", f"-DCMAKE_C_FLAGS={' '.join(p.sanitize)}",
        f"-DCMAKE_C_COMPILER={p.cache['CMAKE_C_COMPILER']}")
    run("cmake", "--build", made)
    for static in (False, True):
        program = p.home / f"look-{static}"
        p.compile(p.home / "look.c", program, static)
        for built in (program, made / ("static" if static else "shared")):
            if p.needs_shared(built) == static:
                raise Failed(f"{built.name} is linked to the other library")
            said = p.run(built, p.home / "chain" / "genesis.json")
            if said != f"{name} 4\n":
                raise Failed(f"{built.name} said {said!r}")


if __name__ == "__main__":
    scenario.main(globals())
