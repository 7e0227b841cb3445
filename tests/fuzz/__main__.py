"""``python -m tests.fuzz SEED:NUMBER`` repeats one damaged file of a failed run."""

import argparse
import sys
import traceback
from pathlib import Path

import httpx

from safety_core.inputs.images.decoding import decode_image
from tests.fuzz.cases import case
from tests.fuzz.decoding import LIMITS, outcome
from tests.fuzz.serving import complaint


def main() -> int:
    """Decode the case and print the result; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("case", metavar="SEED:NUMBER")
    parser.add_argument("--save", type=Path, metavar="FILE", help="file to write the damaged bytes to")
    parser.add_argument("--send", metavar="URL", help="server to send the file to, as the failed run did")
    chosen = parser.parse_args()
    seed, _, number = chosen.case.partition(":")
    tried = case(int(seed), int(number))
    print(f"{tried.name}, once {tried.origin}: {len(tried.data)} bytes that begin with {tried.data[:16]!r}")
    if chosen.save is not None:
        chosen.save.write_bytes(tried.data)
    try:
        print(decode_image(tried.data, limits=LIMITS))
    except Exception:
        traceback.print_exc()
    wrong = [outcome(tried, twice=True).wrong]
    if chosen.send is not None:
        with httpx.Client(base_url=chosen.send, timeout=120) as client:
            wrong.append(complaint(client, tried))
    found = [one for one in wrong if one is not None]
    print(f"wrong: {', '.join(found)}" if found else "as it should be")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
