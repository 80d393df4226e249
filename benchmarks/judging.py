"""CPU of a judge call, as a ratio: the whole job (prompt, key, call, ledger, parsing, rating) against the bare SDK.

    python benchmarks/judging.py [CELLS]

Both talk to the same local server (tests/servers.py, a process of its own), turn about, three times; the median of the
ratios is what to quote. The server has no latency, so the client's CPU is what is seen.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from samples import write_study  # noqa: E402 (a helper of the tests)

from flask_eval.judging import plan, score  # noqa: E402
from flask_eval.schema import JudgeCard  # noqa: E402

IN_FLIGHT = 64


def whole_job(study: tuple[Path, Path], url: str, out: Path) -> int:
    """Score all cells into a run; returns how many."""
    card = JudgeCard(name="judge", adapter="openai", model="m", base_url=url)
    done = score(plan(*study, judge=card), out=out, concurrency=IN_FLIGHT)
    assert done.result["cells"]["left"] == 0
    return int(done.result["cells"]["judged"])


def bare_sdk(count: int, url: str) -> int:
    """The same number of calls through the SDK's aiohttp client, nothing kept."""
    import openai

    async def work() -> None:
        client = openai.AsyncOpenAI(
            api_key="none", base_url=url, max_retries=0, http_client=openai.DefaultAioHttpClient()
        )
        gate = asyncio.Semaphore(IN_FLIGHT)

        async def one(k: int) -> None:
            async with gate:
                messages = [
                    {"role": "system", "content": "Rate it. " * 300},
                    {"role": "user", "content": f"Response {k}. " * 20},
                ]
                await client.chat.completions.create(model="m", messages=messages)  # type: ignore[arg-type]

        await asyncio.gather(*(one(k) for k in range(count)))
        await client.close()

    asyncio.run(work())
    return count


def cpu(work: object) -> float:
    """Milliseconds of CPU a call."""
    start = time.process_time()
    count = work()  # type: ignore[operator]
    return (time.process_time() - start) * 1000 / count


def main(cells: int) -> None:
    """Print a line a round, and the median."""
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "servers.py"), "openai"], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    ratios = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            study = write_study(Path(folder), instances=cells // 2)
            bare_sdk(64, url)
            for turn in range(3):
                bare = cpu(lambda: bare_sdk(cells, url))
                ours = cpu(lambda turn=turn: whole_job(study, url, Path(folder) / f"run{turn}"))
                ratios.append(ours / bare)
                print(f"whole job {ours:.2f} ms, bare SDK {bare:.2f} ms of CPU a call: ratio {ratios[-1]:.2f}")
    finally:
        server.terminate()
        server.wait()
    print(
        f"median ratio {statistics.median(ratios):.2f} at {IN_FLIGHT} in flight, {cells} calls, {os.cpu_count()} cores"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
