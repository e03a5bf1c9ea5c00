#!/usr/bin/env python3
"""Reads a pack of quern, with the standard library and numpy.

Written from docs/format-expert.md alone, as a second reader to hold the first one against.

  read_pack.py PACK                        the tensors: name, how stored, shape, bytes
  read_pack.py PACK --verify               every checksum
  read_pack.py PACK --tensor NAME          one tensor as float32; --out FILE.npy saves it
  read_pack.py PACK --compare FOLDER       relative MSE per role against safetensors of the source
  read_pack.py PACK --same-as DIR          every DIR/NAME.npy must be the tensor NAME
"""

import argparse
import json
import pathlib
import struct
import sys

import numpy as np

MASK64 = (1 << 64) - 1
DTYPES = (
    "BOOL F4 F6_E2M3 F6_E3M2 U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 I16 U16 F16 BF16 I32 U32 F32 C64 F64 I64 U64"
).split()
METHODS = ("LLOYD_U4", "LLOYD_F16", "RMS_F16", "AFFINE", "ABSMAX")
EXPERT_ROLES = ("experts.gate", "experts.up", "experts.down")
TILE_ROWS = 64
RUN_COLS = 16
BAND_TILES = 8
STRIP_COLS = 256

# Which input a matrix reads: the number goes into the key of its rotation.
INPUTS = {
    "attention.query": 0, "attention.key": 0, "attention.value": 0,
    "attention.query_down": 0, "attention.latent": 0,
    "delta.query": 0, "delta.key": 0, "delta.value": 0, "delta.gate": 0,
    "attention.output": 1, "delta.output": 1,
    "mlp.gate": 2, "mlp.up": 2, "shared.gate": 2, "shared.up": 2,
    "experts.gate": 2, "experts.up": 2,
    "experts.down": 3,
    "mlp.down": 4, "shared.down": 4,
    "embedding": 5,
    "head": 6,
    "attention.query_up": 8,
}  # fmt: skip
RESIDUAL = 7


class PackError(Exception):
    """The pack is wrong; the message is one line."""


def check(holds, place, expected, found):
    if not holds:
        raise PackError(f"{place}: expected {expected}, found {found}")


# --- CRC32C ------------------------------------------------------------------------------------


def _crc_table():
    table = np.zeros(256, np.uint32)
    for n in range(256):
        crc = n
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        table[n] = crc
    return table


CRC_TABLE = _crc_table()
CRC_LIST = [int(entry) for entry in CRC_TABLE]


def _after_zeros(count):
    """The linear map of a CRC register by so many zero bytes, as the images of its 32 bits."""

    def apply(images, value):
        result = 0
        for bit in range(32):
            if value >> bit & 1:
                result ^= images[bit]
        return result

    power = [CRC_LIST[(1 << bit) & 0xFF] ^ ((1 << bit) >> 8) for bit in range(32)]
    result = [1 << bit for bit in range(32)]
    while count:
        if count & 1:
            result = [apply(power, image) for image in result]
        power = [apply(power, image) for image in power]
        count >>= 1
    return result


def _apply_fast(images):
    """The same map as four tables of 256."""
    tables = []
    for byte in range(4):
        table = [0] * 256
        for value in range(1, 256):
            low = value & -value
            table[value] = table[value ^ low] ^ images[8 * byte + low.bit_length() - 1]
        tables.append(table)
    return lambda v: (
        tables[0][v & 255] ^ tables[1][v >> 8 & 255] ^ tables[2][v >> 16 & 255] ^ tables[3][v >> 24]
    )


def crc32c(data):
    """CRC32C of bytes: many equal pieces side by side, then put together."""
    data = np.frombuffer(data, np.uint8)
    lanes = 4096
    length = len(data) // lanes
    crc = 0xFFFFFFFF
    at = 0
    if length >= 16:
        state = np.zeros(lanes, np.uint32)
        columns = np.ascontiguousarray(data[: lanes * length].reshape(lanes, length).T)
        for column in columns:
            state = CRC_TABLE[(state ^ column) & 0xFF] ^ (state >> np.uint32(8))
        shift = _apply_fast(_after_zeros(length))
        for piece in state.tolist():
            crc = shift(crc) ^ piece
        at = lanes * length
    for byte in data[at:].tolist():
        crc = CRC_LIST[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def masked(crc):
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


# --- Rotation ----------------------------------------------------------------------------------


def _mix(z):
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK64
    return z ^ (z >> 31)


def _word(key, n):
    return _mix((key + (n + 1) * 0x9E3779B97F4A7C15) & MASK64)


def _key(seed, *parts):
    key = _mix((seed + 0x9E3779B97F4A7C15) & MASK64)
    for part in parts:
        key = _word(key, part)
    return key


def _bordered(q, i, j):
    """Quadratic character of i - j modulo q, with a first row and column of ones."""
    if i == j:
        return 0
    if i == 0 or j == 0:
        return 1
    return 1 if any(r * r % q == (i - j) % q for r in range(1, q)) else -1


def _hadamard(order):
    h = np.zeros((order, order))
    if order == 1:
        h[:] = 1
    elif order in (12, 20):
        for i in range(order):
            for j in range(order):
                s = _bordered(order - 1, i, j)
                h[i, j] = 1 if i == j else -s if j == 0 else s
    else:  # 28
        for i in range(order):
            for j in range(order):
                if i // 2 == j // 2:
                    h[i, j] = 1 if i % 2 == 0 and j % 2 == 0 else -1
                else:
                    c = _bordered(13, i // 2, j // 2)
                    h[i, j] = -c if i % 2 == 1 and j % 2 == 1 else c
    return h


def unrotated(rows, key):
    """Rows of W of rows of W' = W diag(s) H^T, that is w = s * (H^T w')."""
    width = rows.shape[1]
    order, power = max(
        ((m, (width // m) & -(width // m)) for m in (1, 12, 20, 28) if width % m == 0),
        key=lambda block: block[0] * block[1],
    )
    x = rows.astype(np.float64).reshape(-1, order, power)
    half = 1
    while half < power:  # Sylvester's matrix, symmetric
        x = x.reshape(-1, order, power // (2 * half), 2, half)
        a, b = x[:, :, :, 0], x[:, :, :, 1]
        x = np.stack([a + b, a - b], axis=3)
        half *= 2
    x = x.reshape(-1, order, power)
    x = np.einsum("ji,njp->nip", _hadamard(order), x) / np.sqrt(order * power)
    words = np.array([_word(key, n) for n in range((width + 63) // 64)], np.uint64)
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), bitorder="little")[:width]
    return x.reshape(rows.shape) * (1.0 - 2.0 * bits)


# --- Quantized matrices ------------------------------------------------------------------------


class Scheme:
    """How a matrix is quantized, and where its bytes lie."""

    def __init__(self, method, bits, group_size, rotated, qjl, rows, cols):
        self.method, self.bits, self.rotated, self.qjl = method, bits, rotated, qjl
        self.rows, self.cols = rows, cols
        self.u4 = method == "LLOYD_U4"
        group = group_size
        while not self.u4 and group > 32 and cols % group:
            group //= 2
        self.group = group
        self.offsets = method == "AFFINE"
        self.factor_rows = 1 if cols >= 1024 else TILE_ROWS

    def label(self):
        rotated = " rotated" if self.rotated else ""
        return f"{self.method.lower()} {self.bits} bits{rotated}{' qjl' if self.qjl else ''}"

    def scale_bytes(self):
        return 64 if self.u4 else (256 if self.offsets else 128)

    def block_cols(self):
        return 32 if self.u4 else self.group

    def matrix_bytes(self):
        tiles = -(-self.rows // TILE_ROWS)
        blocks = -(-self.cols // self.block_cols())
        block = self.scale_bytes() + self.block_cols() // RUN_COLS * 128 * self.bits
        factors = 2 * -(-self.rows // self.factor_rows) if self.u4 else 0
        return -(-(tiles * blocks * block + factors) // 16) * 16

    def residual_bytes(self):
        tiles = -(-self.rows // TILE_ROWS)
        return -(-(tiles * -(-self.cols // 32) * 256 + 2 * self.rows) // 16) * 16

    def bytes(self):
        return self.matrix_bytes() + (self.residual_bytes() if self.qjl else 0)


def _indices(runs, bits):
    """[..., 2·bits vectors, 64 bytes] to the indices [..., 16 columns, 64 rows]."""
    # Byte 4 m + q of a vector belongs to row m + 16 q.
    lead = runs.shape[:-1]
    runs = np.swapaxes(runs.reshape(*lead, 16, 4), -1, -2).reshape(*lead, 64)
    if bits == 8:
        return runs.view(np.int8)
    out = np.empty((*runs.shape[:-2], RUN_COLS, 64), np.uint8)
    if bits == 3:
        for t in range(2):
            v = [runs[..., 3 * t + k, :] for k in range(3)]
            f = [vector & 63 for vector in v]
            f.append(v[0] >> 6 | (v[1] >> 6) << 2 | (v[2] >> 6) << 4)
            for j in range(4):
                out[..., 8 * t + 2 * j, :] = f[j] & 7
                out[..., 8 * t + 2 * j + 1, :] = f[j] >> 3
        return out
    per_byte = 8 // bits
    for column in range(RUN_COLS):
        vector = runs[..., column // per_byte, :]
        out[..., column, :] = vector >> (column % per_byte * bits) & ((1 << bits) - 1)
    return out


def _rows_of(tiles, rows, cols):
    """[tiles, blocks, runs, 16 columns, 64 rows] to [rows, cols]."""
    matrix = tiles.transpose(0, 4, 1, 2, 3)
    matrix = matrix.reshape(tiles.shape[0] * TILE_ROWS, -1)
    return matrix[:rows, :cols]


def _places(tiles, blocks, strip_blocks):
    """Where the block of a tile lies among all blocks, [tiles, blocks]: band by band, strip by strip."""
    places = np.empty((tiles, blocks), np.int64)
    at = 0
    for band in range(0, tiles, BAND_TILES):
        for strip in range(0, blocks, strip_blocks):
            for tile in range(band, min(band + BAND_TILES, tiles)):
                count = min(strip_blocks, blocks - strip)
                places[tile, strip : strip + count] = np.arange(at, at + count)
                at += count
    return places


def _blocks(data, rows, cols, block_cols, scale_bytes, bits):
    tiles, blocks = -(-rows // TILE_ROWS), -(-cols // block_cols)
    runs = block_cols // RUN_COLS
    block_bytes = scale_bytes + runs * 128 * bits
    end = tiles * blocks * block_bytes
    grid = np.frombuffer(data[:end], np.uint8).reshape(tiles * blocks, block_bytes)
    grid = grid[_places(tiles, blocks, STRIP_COLS // block_cols)]
    packed = grid[:, :, scale_bytes:].reshape(tiles, blocks, runs, 2 * bits, 64)
    return grid[:, :, :scale_bytes], _indices(packed, bits), end


def _factors(data, at, rows, factor_rows):
    count = -(-rows // factor_rows)
    factors = np.frombuffer(data[at : at + 2 * count], "<f2").astype(np.float32)
    return np.repeat(factors, factor_rows)[:rows, None]


def dequantized(data, scheme, codebook, scale_table):
    """W' as float32, computed in the order that the document gives."""
    rows, cols = scheme.rows, scheme.cols
    scales, index, end = _blocks(
        data, rows, cols, scheme.block_cols(), scheme.scale_bytes(), scheme.bits
    )
    tiles, blocks = scales.shape[:2]
    if scheme.bits == 8:
        levels = index.astype(np.float32)
    else:
        levels = np.asarray(codebook, np.float32)[index]
    if scheme.u4:
        words = np.ascontiguousarray(scales).view("<u4")  # [tiles, blocks, 16]: integer m
        codes = np.empty((tiles, blocks, 2, 1, 64), np.uint8)
        for run in range(2):
            for q in range(4):
                codes[:, :, run, 0, 16 * q : 16 * q + 16] = words >> (16 * run + 4 * q) & 15
        scaled = np.asarray(scale_table, np.float32)[codes] * levels
        return _factors(data, end, rows, scheme.factor_rows) * _rows_of(scaled, rows, cols)
    halves = np.ascontiguousarray(scales).view("<f2").astype(np.float32)
    weights = halves[:, :, None, None, :64] * levels
    if scheme.offsets:
        weights = weights + halves[:, :, None, None, 64:]
    return _rows_of(weights, rows, cols)


def weights_of(data, scheme, codebook, scale_table, seed, layer, kind):
    """The matrix in the basis of the source."""
    rows, cols = scheme.rows, scheme.cols
    weights = dequantized(data, scheme, codebook, scale_table)
    if scheme.qjl:
        rest = data[scheme.matrix_bytes() :]
        _, index, end = _blocks(rest, rows, cols, 32, 0, 1)
        signs = _rows_of(index, rows, cols).astype(np.float32) * 2 - 1
        residual = _factors(rest, end, rows, 1) * signs
        weights = weights + unrotated(residual, _key(seed, layer, kind, RESIDUAL))
    if scheme.rotated:
        weights = unrotated(weights, _key(seed, layer, kind))
    return weights.astype(np.float32)


def numbers(data, dtype, shape):
    """Plain numbers as float32."""
    if dtype == "BF16":
        values = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    else:
        kinds = {"F32": "<f4", "F16": "<f2", "F64": "<f8"}
        check(dtype in kinds, "dtype", "F32, F16, BF16 or F64", dtype)
        values = np.frombuffer(data, kinds[dtype]).astype(np.float32)
    return values.reshape(shape)


# --- Files -------------------------------------------------------------------------------------


class Safetensors:
    """A safetensors file: names to (dtype, shape, bytes)."""

    def __init__(self, path):
        self.bytes = np.memmap(path, np.uint8, "r")
        check(len(self.bytes) >= 10, path.name, "a header", f"{len(self.bytes)} bytes")
        (length,) = struct.unpack("<Q", self.bytes[:8].tobytes())
        check(length <= len(self.bytes) - 8, path.name, "a header within the file", length)
        self.start = 8 + length
        header = json.loads(self.bytes[8 : self.start].tobytes())
        header.pop("__metadata__", None)
        self.tensors = header

    def data(self, name):
        begin, end = self.tensors[name]["data_offsets"]
        return self.bytes[self.start + begin : self.start + end]

    def values(self, name):
        tensor = self.tensors[name]
        return numbers(self.data(name), tensor["dtype"], tensor["shape"])


class Experts:
    """One .qexp file."""

    def __init__(self, path):
        self.bytes = np.memmap(path, np.uint8, "r")
        fixed = self.bytes[:56].tobytes()
        check(len(fixed) == 56, path.name, "a header of at least 56 bytes", len(fixed))
        magic, version, length, layer, experts, count, _, _, record, stride, start = (
            struct.unpack("<4s7I3Q", fixed)
        )
        check(magic == b"QEXP", path.name, "magic QEXP", magic)
        check(version == 2, path.name, "version 2", version)
        check(start + experts * stride == len(self.bytes), path.name, "its length", len(self.bytes))
        self.layer, self.experts, self.record = layer, experts, record
        self.stride, self.start = stride, start
        header = self.bytes[:length].tobytes()
        (stored,) = struct.unpack("<I", header[-4:])
        check(masked(crc32c(header[:-4])) == stored, path.name, "the header's checksum", stored)
        at = 56
        self.matrices = {}
        for _ in range(count):
            role, rows, cols, storage, offset, bytes_ = struct.unpack_from("<4I2Q", header, at)
            kind = header[at + 32 : at + 40]
            levels, scales = struct.unpack_from("<2I", header, at + 40)
            at += 48
            codebook = struct.unpack_from(f"<{levels}f", header, at)
            table = struct.unpack_from(f"<{scales}f", header, at + 4 * levels)
            at += 4 * (levels + scales)
            scheme = None
            if storage == 0:
                method, bits, group, flags = kind[:4]
                scheme = Scheme(
                    METHODS[method], bits, group, bool(flags & 1), bool(flags & 2), rows, cols
                )
                expected = (0 if scheme.u4 else 1, scheme.group, int(scheme.offsets))
                check(tuple(kind[4:7]) == expected, path.name, expected, tuple(kind[4:7]))
                check(-(-scheme.bytes() // 16) * 16 == bytes_, path.name, scheme.bytes(), bytes_)
            dtype = None if scheme else DTYPES[kind[0]]
            self.matrices[EXPERT_ROLES[role]] = (
                rows, cols, scheme, dtype, codebook, table, offset, bytes_,
            )  # fmt: skip
        self.checksums = struct.unpack_from(f"<{experts}I", header, at)
        check(at + 4 * experts + 4 == length, path.name, "a header of its length", length)

    def record_bytes(self, expert):
        begin = self.start + expert * self.stride
        return self.bytes[begin : begin + self.stride]

    def values(self, role, expert, seed):
        rows, cols, scheme, dtype, codebook, table, offset, bytes_ = self.matrices[role]
        data = self.record_bytes(expert)[offset : offset + bytes_]
        if dtype:
            size = {"F32": 4}.get(dtype, 2) * rows * cols
            return numbers(data[:size], dtype, (rows, cols))
        return weights_of(data, scheme, codebook, table, seed, self.layer, INPUTS[role])


class Pack:
    """A pack: names to float32 tensors."""

    def __init__(self, folder):
        self.folder = folder
        path = folder / "quern.json"
        check(path.exists(), str(folder), "quern.json", "none: no pack, or an unfinished one")
        text = path.read_bytes()
        self.manifest = json.loads(text)
        check(self.manifest["format"] == "quern-pack", "format", "quern-pack", self.manifest["format"])
        version = self.manifest["formatVersion"]
        check(version == 3, "formatVersion", 3, version)
        body = text[: text.rindex(b'"crc32c"')]
        found = f"{crc32c(body):08x}"
        check(found == self.manifest["crc32c"], "quern.json", self.manifest["crc32c"], found)
        self.seed = self.manifest["seed"]
        self.dense = Safetensors(folder / "dense.safetensors")
        self.layers = {}
        for path in sorted(self.manifest["files"]):
            if path.startswith("experts/"):
                file = Experts(folder / path)
                check(path == f"experts/layer-{file.layer:05d}.qexp", path, "its layer", file.layer)
                self.layers[file.layer] = file

    def entries(self):
        """(name, how stored, shape, bytes) of every tensor."""
        for name, tensor in self.dense.tensors.items():
            begin, end = tensor["data_offsets"]
            scheme = self.scheme(name)
            if scheme:
                yield name, scheme.label(), [scheme.rows, scheme.cols], end - begin
            else:
                yield name, tensor["dtype"], tensor["shape"], end - begin
        for layer, file in self.layers.items():
            for expert in range(file.experts):
                for role, (rows, cols, scheme, dtype, *_, bytes_) in file.matrices.items():
                    label = scheme.label() if scheme else dtype
                    yield f"layers.{layer}.{role}.{expert}", label, [rows, cols], bytes_

    def scheme(self, name):
        entry = self.manifest["tensors"].get(name)
        if entry is None:
            return None
        s = entry["scheme"]
        return Scheme(
            s["method"], s["bits"], s["groupSize"], s["rotated"], s["qjl"], entry["rows"], entry["cols"]
        )

    def tensor(self, name):
        role, layer, expert = split(name)
        if expert is not None and role in EXPERT_ROLES:
            file = self.layers.get(layer)
            check(file and expert < file.experts, name, "an expert of the pack", "none")
            return file.values(role, expert, self.seed)
        check(name in self.dense.tensors, name, "a tensor of the pack", "none")
        scheme = self.scheme(name)
        if scheme is None:
            return self.dense.values(name)
        entry = self.manifest["tensors"][name]
        data = self.dense.data(name)
        check(len(data) == scheme.bytes(), name, scheme.bytes(), len(data))
        return weights_of(
            data, scheme, entry["codebook"], entry["scaleTable"], self.seed, layer, INPUTS[role]
        )

    def verify(self):
        """Compares every checksum; the number of records."""
        records = 0
        for path, entry in self.manifest["files"].items():
            file = self.folder / path
            size = file.stat().st_size
            check(size == entry["bytes"], path, entry["bytes"], size)
            whole = f"{crc32c(file.read_bytes()):08x}"
            check(whole == entry["crc32c"], path, entry["crc32c"], whole)
            for name, crc in entry.get("tensors", {}).items():
                found = f"{crc32c(self.dense.data(name)):08x}"
                check(found == crc, f"{path}, {name}", crc, found)
                records += 1
        for file in self.layers.values():
            for expert, crc in enumerate(file.checksums):
                found = crc32c(file.record_bytes(expert))
                check(found == crc, f"layer {file.layer}, expert {expert}", crc, found)
                records += 1
        return records


def split(name):
    """layers.3.experts.up.17 is ("experts.up", 3, 17); head is ("head", -1, None)."""
    parts = name.split(".")
    layer, expert = -1, None
    if parts[0] == "layers" and len(parts) > 2 and parts[1].isdigit():
        layer = int(parts[1])
        parts = parts[2:]
    if parts[0] == "experts" and parts[-1].isdigit():
        expert = int(parts.pop())
    return ".".join(parts), layer, expert


# --- Comparison with the source ----------------------------------------------------------------

# Names of the most common folders; what a family names otherwise is counted as not compared.
NAMES = {
    "embedding": "model.embed_tokens.weight",
    "head": "lm_head.weight",
    "norm.final": "model.norm.weight",
    "norm.attention": "input_layernorm.weight",
    "norm.mlp": "post_attention_layernorm.weight",
    "norm.query": "self_attn.q_norm.weight",
    "norm.key": "self_attn.k_norm.weight",
    "attention.query": "self_attn.q_proj.weight",
    "attention.key": "self_attn.k_proj.weight",
    "attention.value": "self_attn.v_proj.weight",
    "attention.output": "self_attn.o_proj.weight",
    "router": "mlp.gate.weight",
    "mlp.gate": "mlp.gate_proj.weight",
    "mlp.up": "mlp.up_proj.weight",
    "mlp.down": "mlp.down_proj.weight",
    "experts.gate": "mlp.experts.{}.gate_proj.weight",
    "experts.up": "mlp.experts.{}.up_proj.weight",
    "experts.down": "mlp.experts.{}.down_proj.weight",
}


def source_name(name):
    role, layer, expert = split(name)
    known = NAMES.get(role)
    if known is None:
        return None
    return known.format(expert) if layer < 0 else f"model.layers.{layer}." + known.format(expert)


def compare(pack, folder):
    """Role to (sum of squared errors, sum of squares, tensors); names that were not found."""
    sources = {}
    for path in sorted(folder.glob("*.safetensors")):
        file = Safetensors(path)
        sources.update((name, file) for name in file.tensors)
    sums, unknown = {}, []
    for name, *_ in pack.entries():
        source = source_name(name)
        if name == "head" and source not in sources:
            source = NAMES["embedding"]  # a tied head that is stored otherwise
        if source not in sources:
            unknown.append(name)
            continue
        original = sources[source].values(source).astype(np.float64)
        found = pack.tensor(name)
        check(found.shape == original.shape, name, original.shape, found.shape)
        error, energy, count = sums.get(split(name)[0], (0.0, 0.0, 0))
        error += float(((found - original) ** 2).sum())
        sums[split(name)[0]] = (error, energy + float((original**2).sum()), count + 1)
    return sums, unknown


def same_as(pack, folder):
    """Compares with .npy files; the largest difference relative to the largest value."""
    worst, files = 0.0, sorted(folder.glob("*.npy"))
    check(files, str(folder), "files NAME.npy", "none")
    for path in files:
        expected = np.load(path)
        found = pack.tensor(path.stem).reshape(expected.shape)
        scale = float(np.abs(expected).max()) or 1.0
        difference = float(np.abs(found.astype(np.float64) - expected).max()) / scale
        check(difference <= 1e-6, path.stem, "the values of the file", f"differences of {difference:.2g}")
        worst = max(worst, difference)
    return worst, len(files)


def main():
    parser = argparse.ArgumentParser(description="Reads a pack of quern.")
    parser.add_argument("pack", type=pathlib.Path)
    parser.add_argument("--verify", action="store_true", help="compare every checksum")
    parser.add_argument("--tensor", metavar="NAME", help="such as layers.3.experts.up.17")
    parser.add_argument("--out", metavar="FILE", type=pathlib.Path, help="save --tensor as .npy")
    parser.add_argument("--compare", metavar="FOLDER", type=pathlib.Path)
    parser.add_argument("--at-most", metavar="MSE", type=float, help="fail if --compare finds more")
    parser.add_argument("--same-as", metavar="DIR", type=pathlib.Path)
    options = parser.parse_args()
    pack = Pack(options.pack)
    if options.verify:
        records = pack.verify()
        print(f"{len(pack.manifest['files'])} files, {records} records: all as written")
    if options.tensor:
        values = pack.tensor(options.tensor)
        if options.out:
            np.save(options.out, values)
        else:
            print(values)
    if options.compare:
        sums, unknown = compare(pack, options.compare)
        for role, (error, energy, count) in sorted(sums.items()):
            mse = error / energy if energy else error
            print(f"{role:24} {count:6} tensors  relative MSE {mse:.3e}")
            if options.at_most is not None:
                check(mse <= options.at_most, role, f"at most {options.at_most}", mse)
        check(sums, str(options.compare), "tensors to compare", "none with a known name")
        print(f"{len(unknown)} tensors without a known name in the source")
    if options.same_as:
        worst, files = same_as(pack, options.same_as)
        print(f"{files} tensors as in {options.same_as.name}, differences up to {worst:.1e}")
    if not (options.verify or options.tensor or options.compare or options.same_as):
        for name, label, shape, size in pack.entries():
            print(f"{name:40} {label:24} {str(shape):16} {size}")


if __name__ == "__main__":
    try:
        main()
    except PackError as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:
        sys.exit(1)
