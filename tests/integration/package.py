"""Sluice as `cmake --install` puts it into a prefix, and building programs against that, outside the tree.

    p = package(bin_dir)                   installs once
    p.compile(source, program, static=True)
    p.run(program, *words)
"""
import atexit
import functools
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from cluster import Failed

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(*command, env=None):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL, env=env)
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

    def run(self, program, *words):
        return run(program, *words, env=dict(self.environment, LD_LIBRARY_PATH=str(self.lib)))

    def start(self, program, *words, stderr, stdin=subprocess.DEVNULL):
        """A process whose standard output is to be read."""
        return subprocess.Popen([str(word) for word in (program, *words)], text=True, stdin=stdin,
                                stdout=subprocess.PIPE, stderr=stderr,
                                env=dict(self.environment, LD_LIBRARY_PATH=str(self.lib)))


@functools.cache
def package(bin_dir):
    return Package(bin_dir)
