#!/usr/bin/env python3
"""What `cmake --install` puts into a prefix, and programs that are built against that, outside the tree."""
import atexit
import functools
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import scenario
from cluster import Failed

ROOT = pathlib.Path(__file__).resolve().parents[2]
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


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL, **more)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: exit {done.returncode}: {(done.stdout + done.stderr).strip()}")
    return done.stdout


class Package:
    """The build of `bin_dir`, installed into a prefix of its own and then moved, as packages are."""

    def __init__(self, bin_dir):
        self.build = pathlib.Path(bin_dir).resolve().parent
        cache = (self.build / "CMakeCache.txt").read_text()
        self.cache = dict(re.findall(r"^(\w+):\w+=(.*)$", cache, re.MULTILINE))
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="sluice-install-"))
        atexit.register(shutil.rmtree, self.home, ignore_errors=True)
        run("cmake", "--install", self.build, "--prefix", self.home / "first")
        self.prefix = self.home / "prefix"
        (self.home / "first").rename(self.prefix)
        self.lib = self.prefix / self.cache["CMAKE_INSTALL_LIBDIR"]
        self.headers = sorted((self.prefix / "include" / "sluice").glob("*.h"))
        self.sanitize = [f"-fsanitize={self.cache['SLU_SANITIZE']}"] if self.cache.get("SLU_SANITIZE") else []
        self.environment = dict(os.environ, PKG_CONFIG_PATH=str(self.lib / "pkgconfig"))

    def pkg_config(self, *words):
        return run("pkg-config", *words, "sluice", env=self.environment).split()

    def link_flags(self, static):
        """As a Makefile would ask for them."""
        archive = ["-Wl,--as-needed", *self.pkg_config("--variable=archive")] if static else []
        return archive + self.pkg_config("--libs", *(["--static"] if static else []))

    def compile(self, source, program, static=False):
        run(self.cache["CMAKE_C_COMPILER"], "-std=c17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", *self.sanitize,
            *self.pkg_config("--cflags"), source, "-o", program, *self.link_flags(static))

    def needs_shared(self, program):
        return "libsluice.so.0" in run("readelf", "-d", program)

    def run(self, program, *words, **more):
        return run(program, *words, env=dict(self.environment, LD_LIBRARY_PATH=str(self.lib)), **more)


@functools.cache
def package(bin_dir):
    return Package(bin_dir)


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
