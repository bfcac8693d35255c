"""k-means beside faiss-cpu and scikit-learn, on the same feature table. Needs benches/requirements.txt.

    python3 benches/kmeans_peers.py [--rows 23943,192272] [--dimensions 512,4096] [--k 104] [--rounds 3]
                                    [--peers deepmcat,faiss,scikit-learn] [--bin target/release]
                                    [--device cuda]

Each program is a process of its own over the same memory-mapped Arrow file, with 20 iterations from k random rows and
all processors, by turns, the fastest of the rounds. `seconds`: the fit alone (ours: the stage's `compute`, which also
checks every value and measures distances and margins). `peak`: memory of the whole process over the table's size.
`GFLOP/s`: 2 n k d for each of the 20 iterations; the last line is the machine's own matrix product. Rows are noisy
points around 300 centres on the sphere: objectives of random starts differ by tenths of a percent. With --device cuda
ours and the matrix product are on the card, where the peer is `pytorch` (--peers deepmcat,pytorch): Lloyd's iterations as
one writes them there, the table's way to the card included in both.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import numpy as np
import pyarrow as pa

ROOT = pathlib.Path(__file__).resolve().parent.parent
ITERATIONS = 20


def write(path: pathlib.Path, rows: int, dimensions: int):
    random = np.random.default_rng(1)
    centres = random.standard_normal((300, dimensions), dtype=np.float32)
    values = centres[random.integers(0, 300, rows)]
    for start in range(0, rows, 10_000):
        block = values[start : start + 10_000]
        block += 1.5 * random.standard_normal(block.shape, dtype=np.float32)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    item = pa.field("item", pa.float32(), nullable=False)
    fields = [pa.field("image_id", pa.uint32(), nullable=False), pa.field("features", pa.list_(item, dimensions), nullable=False)]
    names = {"table": "features", "schema_version": "1", "stage": "embed", "stage_version": "0", "config_hash": "0", "seed": "1"}
    schema = pa.schema(fields, metadata={f"deepmcat.{key}": value for key, value in names.items()})
    lists = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), type=fields[1].type)
    batch = pa.record_batch([pa.array(np.arange(rows, dtype=np.uint32)), lists], schema=schema)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        writer.write_batch(batch)


def read(path: str) -> np.ndarray:
    column = pa.ipc.open_file(pa.memory_map(path)).get_batch(0).column(1)
    return column.flatten().to_numpy().reshape(len(column), -1)


def fit(peer: str, path: str, k: int, device: str):
    """What a peer's process does: prints seconds and objective."""
    rows = read(path)
    if peer == "faiss":
        import faiss

        # Without the limit faiss fits a sample of the rows.
        means = faiss.Kmeans(rows.shape[1], k, niter=ITERATIONS, max_points_per_centroid=len(rows), seed=1)
        start = time.perf_counter()
        means.train(rows)
        objective = means.index.search(rows, 1)[0].sum(dtype=np.float64)
    elif peer == "scikit-learn":
        from sklearn.cluster import KMeans

        start = time.perf_counter()
        means = KMeans(k, init="random", n_init=1, max_iter=ITERATIONS, tol=0, algorithm="lloyd", random_state=1)
        objective = means.fit(rows).inertia_
    elif peer == "pytorch":
        import torch

        torch.zeros(1, device=device)
        start = time.perf_counter()
        x = torch.from_numpy(rows).to(device)
        generator = torch.Generator().manual_seed(1)
        means = x[torch.randperm(len(x), generator=generator)[:k].to(device)]
        nearest = lambda: torch.cat([torch.cdist(part, means).min(1).indices for part in x.split(32768)])
        for _ in range(ITERATIONS):
            clusters = nearest()
            sums = torch.zeros_like(means).index_add_(0, clusters, x)
            means = sums / torch.bincount(clusters, minlength=k).clamp(min=1)[:, None]
        objective = sum(((part - means[c]) ** 2).sum().item() for part, c in zip(x.split(32768), nearest().split(32768)))
    else:
        import torch

        one = torch.from_numpy(rows[: 16 * 1024].copy()).to(device)
        other = torch.rand(rows.shape[1], 1024, device=device)
        torch.mm(one, other)
        wait = torch.cuda.synchronize if device != "cpu" else lambda: None
        wait()
        start = time.perf_counter()
        for _ in range(5):
            torch.mm(one, other)
        wait()
        seconds = time.perf_counter() - start
        print("result", 5 * 2 * one.numel() * 1024 / seconds / 1e9, 0.0)
        return
    print("result", time.perf_counter() - start, objective)


def measured(command: list[str]) -> tuple[str, float]:
    """What a process says, and its peak memory in bytes."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        log.seek(0)
        text = log.read()
    if status:
        sys.exit(f"failed: {' '.join(command)}\n{text}")
    return text, usage.ru_maxrss * 1024


def run(peer: str, path: pathlib.Path, k: int, options) -> tuple[float, float, float]:
    if peer != "deepmcat":
        text, peak = measured([sys.executable, __file__, "--fit", peer, str(path), "--k", str(k), "--device", options.device])
        seconds, objective = re.search(r"^result (\S+) (\S+)", text, re.M).groups()
        return float(seconds), float(objective), peak
    out = path.parent.parent
    settings = [f"cluster.k={k}", f"cluster.iterations={ITERATIONS}", "cluster.start=random", f"compute.device={options.device}"]
    command = [f"{options.bin}/deepmcat-cluster", "--features", str(path.parent), "--epoch", "0"]
    command += ["--assignments", str(out / "a"), "--clusters", str(out / "c")]
    text, peak = measured(command + [word for setting in settings for word in ("--set", setting)])
    return float(re.search(r"compute=(\S+)", text)[1]), float(re.search(r"objective (\S+)", text)[1]), peak


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="23943,192272")
    parser.add_argument("--dimensions", default="512,4096")
    parser.add_argument("--k", type=int, default=104)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="deepmcat,faiss,scikit-learn")
    parser.add_argument("--bin", default=str(ROOT / "target/release"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--fit", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fit:
        return fit(*options.fit, options.k, options.device)
    print(f"{'rows':>7} {'d':>5} {'program':<13}{'seconds':>9}{'GFLOP/s':>9}{'objective':>13}{'peak':>7}")
    for dimensions in map(int, options.dimensions.split(",")):
        for rows in map(int, options.rows.split(",")):
            with tempfile.TemporaryDirectory(dir=ROOT / "target") as folder:
                path = pathlib.Path(folder) / "features" / "part-0.arrow"
                path.parent.mkdir()
                write(path, rows, dimensions)
                peers = options.peers.split(",")
                best = {}
                for _ in range(options.rounds):
                    for peer in peers:
                        found = run(peer, path, options.k, options)
                        best[peer] = min(best.get(peer, found), found)
                for peer, (seconds, objective, peak) in best.items():
                    rate = 2 * rows * dimensions * options.k * ITERATIONS / seconds / 1e9
                    share = peak / (4 * rows * dimensions)
                    print(f"{rows:>7} {dimensions:>5} {peer:<13}{seconds:>9.2f}{rate:>9.0f}{objective:>13.2f}{share:>7.2f}", flush=True)
                product = run("product", path, options.k, options)[0]
                print(f"{rows:>7} {dimensions:>5} {'(product)':<13}{'':>9}{product:>9.0f}", flush=True)


if __name__ == "__main__":
    main()
