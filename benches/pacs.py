"""Ingest from an archive server against ingest from a folder: 10,000 instances of a real Orthanc on loopback.

    python3 benches/pacs.py [--subjects 46] [--frames 10] [--programs target/release] [--work FOLDER]

Makes a synthetic archive, stores it on an Orthanc of its own (Debian: orthanc), and prints, for a quarter and for all of the
subjects, seconds, instances a second and peak memory (VmHWM) of `ingest` of a folder, of `fetch` and `ingest` of what it received,
and of a second `fetch` with nothing new. Every figure is the median of three; the folder's files are those that were stored.
"""

import argparse
import concurrent.futures
import http.client
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time


def timed(words, env):
    """Seconds and peak memory in MB of a program, which must succeed."""
    start = time.perf_counter()
    child = subprocess.Popen([str(word) for word in words], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak = 0
    # Not ru_maxrss: a child begins with the memory of its parent, and this one is larger.
    while child.poll() is None:
        try:
            status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
            peak = max(peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
        except OSError:
            pass
        time.sleep(0.005)
    seconds = time.perf_counter() - start
    if child.returncode:
        raise SystemExit(f"{words}: {child.stderr.read().decode()}")
    return seconds, peak / 1024


class Server:
    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        folder.mkdir()
        settings = {
            "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"), "HttpPort": self.port,
            "DicomServerEnabled": False, "RemoteAccessAllowed": False, "AuthenticationEnabled": False,
            "HttpThreadsCount": 8, "SaveJobs": False,
        }
        (folder / "orthanc.json").write_text(json.dumps(settings))
        log = open(folder / "log", "w")
        self.child = subprocess.Popen(["Orthanc", folder / "orthanc.json"], stdout=log, stderr=log)
        while True:
            try:
                self.ask("GET", "/system")
                break
            except OSError:
                time.sleep(0.05)

    def ask(self, method, path, body=None, connection=None):
        connection = connection or http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def store(self, files):
        local = threading.local()

        def one(file):
            if not hasattr(local, "connection"):
                local.connection = http.client.HTTPConnection("127.0.0.1", self.port)
            return self.ask("POST", "/instances", file.read_bytes(), local.connection)[0]

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return sum(status == 200 for status in pool.map(one, files))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=46)
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--programs", default="target/release", type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path)
    args = parser.parse_args()
    programs = args.programs.resolve()
    with tempfile.TemporaryDirectory(dir=args.work) as folder:
        folder = pathlib.Path(folder)
        env = {**os.environ, "NETRC": str(folder / "none")}
        for name in ["DEEPMCAT_PACS_USER", "DEEPMCAT_PACS_PASSWORD"]:
            env.pop(name, None)
        timed([programs / "deepmcat-synth", folder / "archive", "--subjects", args.subjects, "--frames", args.frames,
               "--format", "dicom"], env)
        subjects = sorted((folder / "archive").iterdir())
        server = Server(folder / "orthanc")
        try:
            print(f"{'':>10}  {'':<12}  {'s':>6}  {'a second':>8}  {'peak MB':>8}")
            stored = 0
            for part in [subjects[: len(subjects) // 4], subjects[len(subjects) // 4 :]]:
                stored += server.store(sorted(path for subject in part for path in subject.rglob("*.dcm")))
                measure(server, folder, programs, env, stored)
        finally:
            server.child.kill()
            server.child.wait()


def measure(server, folder, programs, env, stored):
    received = folder / "received"
    rows = {"folder": [], "fetch": [], "ingest": [], "nothing new": []}
    for _ in range(3):
        for path in [received, folder / "dataset", folder / "again"]:
            shutil.rmtree(path, ignore_errors=True)
        address = f"orthanc://127.0.0.1:{server.port}"
        rows["fetch"].append(timed([programs / "deepmcat-fetch", address, "--out", received], env))
        instances = received / "instances"
        rows["ingest"].append(timed([programs / "deepmcat-ingest", instances, "--out", folder / "dataset"], env))
        rows["folder"].append(timed([programs / "deepmcat-ingest", instances, "--out", folder / "again"], env))
        rows["nothing new"].append(timed([programs / "deepmcat-fetch", address, "--out", received], env))
    median = {name: (statistics.median(s for s, _ in runs), max(mb for _, mb in runs)) for name, runs in rows.items()}
    for name, (seconds, memory) in median.items():
        print(f"{stored:>10}  {name:<12}  {seconds:>6.2f}  {stored / seconds:>8.0f}  {memory:>8.1f}")
    both = median["fetch"][0] + median["ingest"][0]
    print(f"{stored:>10}  {'server':<12}  {both:>6.2f}  {stored / both:>8.0f}  throughput {median['folder'][0] / both:.2f} of the folder's")


if __name__ == "__main__":
    main()
