"""Running one scenario file: `test_X.py --bin DIR` calls its functions called scenario_*, in order. Imported first:
it makes known where the cluster, the load and the checker are, which the fault suite shares."""
import argparse
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy" / "faults"))

from cluster import Failed      # noqa: E402
from damage import Needs        # noqa: E402


def main(names):
    """`names`: the globals of the scenario file. Exit code 1 at the first that fails."""
    parser = argparse.ArgumentParser(description=names["__doc__"])
    parser.add_argument("--bin", required=True, help="folder of sluiced and sluice")
    parser.add_argument("--only", help="run just the scenario of this name")
    options = parser.parse_args()
    scenarios = {name.removeprefix("scenario_"): function for name, function in names.items()
                 if name.startswith("scenario_")}
    for name, scenario in scenarios.items():
        if options.only in (None, name):
            started = time.monotonic()
            print(f"{name}:", flush=True)
            try:
                scenario(options.bin)
            except Needs as needs:
                print(f"{name}: skipped: {needs}", flush=True)
                continue
            except Failed as failure:
                sys.exit(f"{name}: FAILED: {failure}")
            print(f"{name}: passed, {time.monotonic() - started:.1f} s", flush=True)
