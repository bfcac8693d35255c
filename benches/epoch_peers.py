"""One whole epoch from process start to tables on disk, beside a script in PyTorch, torchvision and faiss.

    python3 benches/epoch_peers.py [ARCHIVE] [--preset demo] [--set train.batch=32 ...] [--rounds 3] [--bin target/release]

Needs benches/requirements.txt. ARCHIVE (default runs/demo-archive) is ingested once. Then, by turns, the fastest of the
rounds: `deepmcat run` of the first epoch (embed, cluster, sample, train: four programs and their tables, checkpoint
and receipts), and one Python process that does the same with the same network, number of views (1), k, iterations and
batches: PNGs by a DataLoader with a worker a processor, crops and rotations by torchvision, k-means by faiss, features,
assignments and checkpoint saved. Ours also changes shading, contrast and noise, where the preset says so; theirs not.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def peer(run: pathlib.Path, out: pathlib.Path):
    """The epoch as one would write it in Python."""
    import faiss
    import numpy as np
    import torch
    import torchvision.transforms as transforms
    from PIL import Image

    sys.path.insert(0, str(ROOT / "benches"))
    from network_peers import network

    settings = tomllib.loads((run / "run.toml").read_text())
    side, k = settings["network"]["input"], settings["cluster"]["k"]
    view = transforms.Compose(
        [
            transforms.RandomRotation(settings["augment"]["rotation"]),
            transforms.RandomResizedCrop(side, tuple(settings["augment"]["area"]), tuple(settings["augment"]["ratio"])),
            transforms.ToTensor(),
            transforms.Lambda(lambda x: (x - x.mean()) / (x.std() + 1e-6)),
        ]
    )
    paths = sorted((run / "dataset").rglob("*.png"))

    class Images(torch.utils.data.Dataset):
        def __len__(self):
            return len(paths)

        def __getitem__(self, place):
            return view(Image.open(paths[place]).convert("L")), place

    loader = lambda batch, **how: torch.utils.data.DataLoader(Images(), batch, num_workers=os.cpu_count(), **how)
    body, _, _ = network(torch, settings["network"], k)
    body.eval()
    with torch.inference_mode():
        features = torch.cat([torch.nn.functional.normalize(body(x)) for x, _ in loader(settings["embed"]["batch"])]).numpy()
    means = faiss.Kmeans(features.shape[1], k, niter=settings["cluster"]["iterations"], max_points_per_centroid=len(features), seed=1)
    means.train(features)
    clusters = means.index.search(features, 1)[1][:, 0]
    np.save(out / "features.npy", features)
    np.savetxt(out / "assignments.csv", clusters, "%d")

    random = np.random.default_rng(1)
    members = [np.flatnonzero(clusters == cluster) for cluster in range(k)]
    members = [rows for rows in members if len(rows)]
    share = len(paths) // len(members) + 1
    order = random.permutation(np.concatenate([random.choice(rows, share, len(rows) <= share) for rows in members]))[: len(paths)]
    head = torch.nn.Linear(features.shape[1], k)
    rates = settings["train"]
    momentum, decay = rates["momentum"], rates["weight_decay"]
    optimiser = torch.optim.SGD(body.parameters(), rates["rate"], momentum, weight_decay=decay)
    head_optimiser = torch.optim.SGD(head.parameters(), rates["head_rate"], weight_decay=decay)
    labels = torch.from_numpy(clusters)
    body.train()
    for x, places in loader(rates["batch"], sampler=order.tolist()):
        loss = torch.nn.functional.cross_entropy(head(body(x)), labels[places])
        for each in (optimiser, head_optimiser):
            each.zero_grad()
        loss.backward()
        for each in (optimiser, head_optimiser):
            each.step()
    torch.save({"body": body.state_dict(), "optimiser": optimiser.state_dict()}, out / "checkpoint.pt")


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"failed: {' '.join(command)}\n{done.stdout}{done.stderr}")
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", nargs="?", default=str(ROOT / "runs/demo-archive"))
    parser.add_argument("--preset", default="demo")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bin", default=str(ROOT / "target/release"))
    parser.add_argument("--peer", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        return peer(*map(pathlib.Path, options.peer))
    program = f"{options.bin}/deepmcat"
    with tempfile.TemporaryDirectory(dir=ROOT / "target") as folder:
        folder = pathlib.Path(folder)
        sets = [word for change in [*options.set, "embed.views=1"] for word in ("--set", change)]
        seconds([program, "init", options.archive, "--run", str(folder / "run"), "--preset", options.preset, *sets])
        seconds([program, "run", str(folder / "run"), "-q", "--only", "ingest", "--only", "pack", "--only", "init"])
        ours, theirs = [], []
        for number in range(options.rounds):
            run, out = folder / f"run-{number}", folder / f"out-{number}"
            shutil.copytree(folder / "run", run)
            out.mkdir()
            epoch = [word for stage in ("embed", "cluster", "sample", "train") for word in ("--only", f"{stage}@0")]
            ours.append(seconds([program, "run", str(run), "-q", *epoch]))
            if not (run / "checkpoints/epoch=0/model.safetensors").is_file():
                sys.exit("failed: deepmcat run left no checkpoint")
            theirs.append(seconds([sys.executable, __file__, "--peer", str(run), str(out)]))
        print(f"one epoch: deepmcat {min(ours):.1f} s, PyTorch with torchvision and faiss {min(theirs):.1f} s: {min(theirs) / min(ours):.2f} times")


if __name__ == "__main__":
    main()
