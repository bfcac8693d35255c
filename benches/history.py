"""Questions to the history of a long run: `deepmcat history` and `deepmcat sql` beside DuckDB, on the same files.

    python3 benches/history.py [--epochs 200] [--images 192272] [--rounds 3] [--programs target/release] [--keep FOLDER]

Makes the assignments first, with the stages' own writer (`cargo run --release --example many_epochs`); with --keep they
stay there and serve the next time. Every answer is a process of its own that writes Parquet, by turns, the fastest round
counts; all of them read files that the system has in memory. `seconds`: the whole process; of DuckDB the query alone, without
starting Python. `peak`: most memory of the process. Needs duckdb (tests/requirements.txt).
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAG = """SELECT epoch, count(*) AS flips FROM (SELECT epoch, cluster,
    lag(cluster) OVER (PARTITION BY image_id ORDER BY epoch) AS past FROM assignments) AS pairs
    WHERE past <> cluster GROUP BY epoch ORDER BY epoch"""
BY_IMAGE = "SELECT image_id, count(*) AS flips FROM flips GROUP BY image_id ORDER BY flips DESC, image_id"
BY_EPOCH = "SELECT epoch, count(*) AS flips FROM flips GROUP BY epoch ORDER BY epoch"


def questions(last: int) -> list[tuple[str, list[str], str]]:
    """What is asked: its name, the words for deepmcat, the query for DuckDB."""
    pairs = """SELECT *, lag(cluster) OVER (PARTITION BY image_id ORDER BY epoch) AS past FROM assignments"""
    entropy = f"""SELECT image_id, -sum(share * log2(share)) AS entropy FROM (SELECT image_id, count(*) / 10 AS share
        FROM assignments WHERE epoch > {last} - 10 GROUP BY image_id, cluster) GROUP BY image_id"""
    images = f"""SELECT * FROM (SELECT image_id, count(*) AS epochs, count(*) FILTER (past <> cluster) AS flips,
        arg_max(cluster, epoch) AS cluster, max(epoch) FILTER (past <> cluster) AS last_flip
        FROM ({pairs}) GROUP BY image_id) JOIN ({entropy}) USING (image_id) ORDER BY flips DESC, entropy DESC"""
    flows = f"""SELECT a.cluster AS from_cluster, b.cluster AS to_cluster, count(*) AS images FROM assignments a
        JOIN assignments b USING (image_id) WHERE a.epoch = 0 AND b.epoch = {last} GROUP BY ALL ORDER BY images DESC"""
    epochs = f"""SELECT epoch, count(*) AS images, count(DISTINCT cluster) AS clusters, count(past) AS compared,
        count(*) FILTER (past <> cluster) AS flips FROM ({pairs}) GROUP BY epoch ORDER BY epoch"""
    return [
        ("history epochs", ["history", "RUN"], epochs),
        ("history images", ["history", "RUN", "images"], images),
        ("history flows", ["history", "RUN", "flows", "0", str(last)], flows),
        ("history path", ["history", "RUN", "path", "4711"], "SELECT * FROM assignments WHERE image_id = 4711 ORDER BY epoch"),
        ("sql: flips of each image", ["sql", "RUN", BY_IMAGE], BY_IMAGE),
        ("sql: flips of each epoch", ["sql", "RUN", BY_EPOCH], BY_EPOCH),
        ("sql: the same by lag()", ["sql", "RUN", LAG], LAG),
    ]


def measured(command: list[str]) -> tuple[float, float, str]:
    """Seconds, peak memory in bytes and output of a process."""
    with tempfile.TemporaryFile("w+") as log:
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        log.seek(0)
        text = log.read()
    if status:
        sys.exit(f"failed: {' '.join(command)}\n{text}")
    return seconds, usage.ru_maxrss * 1024, text


def duckdb_asked(views: str, query: str, out: str):
    """What DuckDB's process does: prints its seconds."""
    import duckdb

    connection = duckdb.connect()
    connection.execute(pathlib.Path(views).read_text())
    start = time.monotonic()
    connection.execute(f"COPY ({query}) TO '{out}' (FORMAT parquet)")
    print(f"seconds={time.monotonic() - start}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--images", type=int, default=192_272)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--programs", default=str(ROOT / "target/release"))
    parser.add_argument("--keep")
    parser.add_argument("--duckdb", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.duckdb:
        return duckdb_asked(*options.duckdb)
    deepmcat = str(pathlib.Path(options.programs).resolve() / "deepmcat")
    with tempfile.TemporaryDirectory(dir=ROOT / "target") as temporary:
        run = pathlib.Path(options.keep or temporary) / "run"
        if not run.exists():
            size = [str(options.epochs), str(options.images)]
            make = ["cargo", "run", "--release", "-p", "deepmcat-query", "--example", "many_epochs", "--", str(run), *size]
            subprocess.run(make, cwd=ROOT, check=True)
        views = pathlib.Path(temporary) / "views.sql"
        views.write_text(subprocess.run([deepmcat, "sql", run, "--duckdb"], check=True, capture_output=True, text=True).stdout)
        out = str(pathlib.Path(temporary) / "answer.parquet")
        print(f"{'':<26}{'deepmcat':>18}{'DuckDB':>18}")
        for name, words, query in questions(options.epochs - 1):
            words = [str(run) if word == "RUN" else word for word in words]
            commands = {
                "deepmcat": [deepmcat, *words[:2], "--out", out, *words[2:], "--quiet"],
                "DuckDB": [sys.executable, __file__, "--duckdb", str(views), query, out],
            }
            best = {}
            for _ in range(options.rounds):
                for program, command in commands.items():
                    seconds, peak, text = measured(command)
                    own = re.search(r"seconds=(\S+)", text)
                    found = (float(own[1]) if own else seconds, peak)
                    best[program] = min(best.get(program, found), found)
            cells = [f"{seconds:>7.2f} s {peak / 1e6:>5.0f} MB" for seconds, peak in best.values()]
            print(f"{name:<26}{cells[0]:>18}{cells[1]:>18}", flush=True)


if __name__ == "__main__":
    main()
