"""Images a second of training and of embedding, beside PyTorch in Python. Needs benches/requirements.txt.

    python3 benches/network_peers.py [RUN] [--set network.width=1 ...] [--rounds 3] [--threads 2] [--bin target/release]

RUN (default runs/demo) gives the images, the order of its first epoch and its settings; --set changes settings for all.
The peer is the same network with the same batches. `from memory` has every image in memory as the network takes it, in
the memory format that oneDNN likes and without augmentation, in our precision (for bfloat16 PyTorch's autocast): what ours
would reach if augmentation and reading cost nothing. `default` is that in float32 with PyTorch's own memory format. Ours
renders the views of every batch meanwhile. Each is a process of its own, by turns; the fastest of the rounds. `peak`: the
share of the machine's matrix product (in our precision) that the multiplications of the convolutions and layers are, at 6
a weight and place in training and 2 in embedding. With --set compute.device=cuda all of them compute on the card, and the
peer's images are in its memory; a card wants more images than a small archive has (--set sample.least=50000 for the run).
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLAN = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]


def network(torch, settings, classes):
    """The same VGG-16-BN, and what a forward pass of an image multiplies."""
    layers, channels, side, products = [], 1, settings["input"], 0
    for entry in PLAN:
        if entry == "M":
            layers.append(torch.nn.MaxPool2d(2))
            side //= 2
            continue
        width = max(1, round(entry * settings["width"]))
        layers += [torch.nn.Conv2d(channels, width, 3, padding=1), torch.nn.BatchNorm2d(width), torch.nn.ReLU(inplace=True)]
        products += 9 * channels * width * side * side
        channels = width
    pool = settings["pool"]
    layers += [torch.nn.AdaptiveAvgPool2d(pool), torch.nn.Flatten()]
    features = channels * pool * pool
    if settings["features"] == "fc":
        fc = settings["fc"]
        layers += [torch.nn.Linear(features, fc), torch.nn.ReLU(inplace=True), torch.nn.Dropout(settings["dropout"])]
        layers += [torch.nn.Linear(fc, fc), torch.nn.ReLU(inplace=True)]
        products += features * fc + fc * fc
        features = fc
    return torch.nn.Sequential(*layers), torch.nn.Linear(features, classes), products


def peer(job: str):
    """A process of the peer: prints images a second, or the products of an image and the peak."""
    import torch

    job = json.loads(job)
    torch.set_num_threads(job["threads"])
    device = torch.device(job["device"])
    settings, batch, count = job["network"], job["batch"], job["images"]
    body, head, products = network(torch, settings, job["classes"])
    body, head = body.to(device), head.to(device)
    # A card computes behind the program's back: waiting for it is part of the time.
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    bfloat16 = job["precision"] == "bfloat16"
    if job["what"] == "peak":
        kind = torch.bfloat16 if bfloat16 else torch.float32
        side = 8192 if device.type == "cuda" else 2048
        one, other = (torch.rand(side, side, dtype=kind, device=device) for _ in range(2))
        best = 0.0
        for _ in range(5):
            wait()
            start = time.perf_counter()
            torch.mm(one, other)
            wait()
            best = max(best, 2 * side**3 / (time.perf_counter() - start))
        print("result", products, best)
        return
    side = settings["input"]
    images = torch.randn(min(count, 2048), 1, side, side, device=device)
    labels = torch.randint(0, job["classes"], (len(images),), device=device)
    if job["channels_last"]:
        body, images = body.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    places = [torch.arange(start, min(start + batch, count), device=device) % len(images) for start in range(0, count, batch)]
    if job["what"] == "train":
        weights = [*body.parameters(), *head.parameters()]
        optimiser = torch.optim.SGD(weights, lr=0.01, momentum=0.9, weight_decay=1e-5)
        body.train()
        wait()
        start = time.perf_counter()
        for place in places:
            with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
                loss = torch.nn.functional.cross_entropy(head(body(images[place])), labels[place])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            loss.item()
    else:
        body.eval()
        wait()
        start = time.perf_counter()
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            for place in places:
                torch.nn.functional.normalize(body(images[place])).cpu()
    print("result", count / (time.perf_counter() - start), 0)


def call(command: list[str]) -> str:
    # As the runner has it: threads that wait sleep.
    done = subprocess.run(command, capture_output=True, text=True, env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ})
    if done.returncode:
        sys.exit(f"failed: {' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", default=str(ROOT / "runs/demo"))
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--bin", default=str(ROOT / "target/release"))
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        return peer(options.peer)
    run = pathlib.Path(options.run)
    if not (run / "samples/epoch=0").is_dir():
        sys.exit(f"{run}: no run with a first epoch (run `make demo`, or: deepmcat run {run} --until train@0)")
    sets = [word for change in [*options.set, f"compute.threads={options.threads}"] for word in ("--set", change)]
    settings = tomllib.loads((run / "run.toml").read_text())
    for change in options.set:
        section, key, value = re.match(r"(\w+)\.(\w+)=(.*)", change).groups()
        try:
            settings[section][key] = json.loads(value)
        except ValueError:
            settings[section][key] = value
    config = ["--config", str(run / "run.toml"), *sets]
    precision = settings["compute"]["precision"]
    if precision == "auto":
        device = json.loads(call([f"{options.bin}/deepmcat-device"]))
        precision = "bfloat16" if device["bfloat16"] else "float32"

    with tempfile.TemporaryDirectory(dir=run) as folder:
        call([f"{options.bin}/deepmcat-pack", "--dataset", str(run / "dataset"), "--out", f"{folder}/pixels", *config])
        call([f"{options.bin}/deepmcat-train", "--init", "--out", f"{folder}/initial", *config])
        import pyarrow.parquet

        rows = lambda path: sum(pyarrow.parquet.read_metadata(part).num_rows for part in path)
        images = rows([run / "dataset/manifest.parquet"])
        views = settings["embed"]["views"] if settings["embed"]["augment"] else 1
        counts = {"train": rows((run / "samples/epoch=0").glob("*.parquet")), "embed": images * views, "peak": 0}
        common = ["--dataset", str(run / "dataset"), "--pixels", f"{folder}/pixels", "--weights", f"{folder}/initial", "--epoch", "0", *config]
        samples = ["--samples", str(run / "samples/epoch=0")]

        def ours(what: str) -> float:
            if what == "train":
                text = call([f"{options.bin}/deepmcat-train", *common, *samples, "--out", f"{folder}/o", "--training", f"{folder}/t"])
            else:
                text = call([f"{options.bin}/deepmcat-embed", *common, "--out", f"{folder}/f"])
            return counts[what] / float(re.search(r"compute=(\S+)", text)[1])

        def theirs(what: str, channels_last: bool, precision: str) -> list[float]:
            batch = settings["train" if what == "train" else "embed"]["batch"]
            job = {"what": what, "network": settings["network"], "batch": batch, "images": counts[what], "threads": options.threads}
            job |= {"classes": settings["cluster"]["k"], "channels_last": channels_last, "precision": precision, "device": settings["compute"]["device"]}
            text = call([sys.executable, __file__, "--peer", json.dumps(job)])
            return [float(number) for number in re.search(r"result (\S+) (\S+)", text).groups()]

        products, peak = theirs("peak", False, precision)
        print(f"{images} images, network {settings['network']['input']} x {settings['network']['input']}, width "
              f"{settings['network']['width']}, {precision}, {options.threads} threads; matrix product {peak / 1e9:.0f} GFLOP/s")
        print(f"{'':<10}{'program':<26}{'images/s':>9}{'ours is':>9}{'peak':>7}")
        for what, factor in (("train", 6), ("embed", 2)):
            programs = {
                "deepmcat": lambda: ours(what),
                "PyTorch, from memory": lambda: theirs(what, True, precision)[0],
                "PyTorch, default": lambda: theirs(what, False, "float32")[0],
            }
            best = dict.fromkeys(programs, 0.0)
            for _ in range(options.rounds):
                for name, program in programs.items():
                    best[name] = max(best[name], program())
            for name, rate in best.items():
                times = f"{best['deepmcat'] / rate:.2f} x"
                print(f"{what:<10}{name:<26}{rate:>9.0f}{times:>9}{factor * products * rate / peak:>7.2f}", flush=True)


if __name__ == "__main__":
    main()
