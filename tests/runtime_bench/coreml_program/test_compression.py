"""Packages that coremltools.optimize compressed: against its own decompression."""

from __future__ import annotations

import numpy as np
import pytest

from styleexport.core.quiet import quiet
from styleexport.runtime_bench.coreml_program.package import read_package
from styleexport.runtime_bench.runners._runner import RunOptions
from styleexport.runtime_bench.runners.coreml_reference import RUNNER

ct = pytest.importorskip("coremltools")
mb = pytest.importorskip("coremltools.converters.mil").Builder
cto = pytest.importorskip("coremltools.optimize.coreml")

RNG = np.random.default_rng(4)
X = RNG.normal(size=(1, 8, 6, 7)).astype(np.float32)
W1 = RNG.normal(size=(16, 8, 3, 3)).astype(np.float32)
W2 = RNG.normal(size=(8, 16, 3, 3)).astype(np.float32)

LINEAR = cto.OpLinearQuantizerConfig
PALETTE = cto.OpPalettizerConfig
PRUNE = cto.OpMagnitudePrunerConfig


@pytest.fixture(scope="module")
def float_models():
    """A program of two convolutions by deployment target and precision."""
    models = {}
    for opset in ("iOS16", "iOS18"):
        target = getattr(ct.target, opset)

        @mb.program(input_specs=[mb.TensorSpec(X.shape)], opset_version=target)
        def program(x):
            hidden = mb.relu(x=mb.conv(x=x, weight=W1, pad_type="same"))
            return mb.conv(x=hidden, weight=W2, pad_type="valid", name="y")

        for precision in ("FLOAT32", "FLOAT16"):
            with quiet():
                models[opset, precision] = ct.convert(
                    program,
                    source="milinternal",
                    convert_to="mlprogram",
                    compute_precision=getattr(ct.precision, precision),
                    minimum_deployment_target=target,
                    skip_model_load=True,
                )
    return models


def linear(mode, dtype="int8", **options):
    config = LINEAR(mode=mode, dtype=dtype, weight_threshold=0, **options)
    return lambda model: cto.linear_quantize_weights(model, cto.OptimizationConfig(config))


def palette(bits, *, joint=False, **options):
    config = PALETTE(nbits=bits, mode="uniform", weight_threshold=0, **options)
    return lambda model: cto.palettize_weights(
        model, cto.OptimizationConfig(config), joint_compression=joint
    )


def prune(model):
    config = PRUNE(target_sparsity=0.5, weight_threshold=0)
    return cto.prune_weights(model, cto.OptimizationConfig(config))


def joint_linear(model):
    config = LINEAR(mode="linear_symmetric", weight_threshold=0)
    return cto.linear_quantize_weights(
        prune(model), cto.OptimizationConfig(config), joint_compression=True
    )


OLD = {
    "int8 symmetric": linear("linear_symmetric"),
    "int8 asymmetric": linear("linear"),
    "uint8 a tensor": linear("linear", "uint8", granularity="per_tensor"),
    **{f"palette of {bits} bits": palette(bits) for bits in (1, 2, 4, 6, 8)},
    "pruned": prune,
}
NEW = OLD | {
    "int4 symmetric": linear("linear_symmetric", "int4"),
    "uint4 asymmetric": linear("linear", "uint4"),
    "int4 in blocks": linear("linear_symmetric", "int4", granularity="per_block", block_size=4),
    "int8 in blocks": linear("linear", "int8", granularity="per_block", block_size=2),
    "palette of 3 bits": palette(3),
    "palettes of groups": palette(4, granularity="per_grouped_channel", group_size=4),
    "palettes with scales": palette(4, enable_per_channel_scale=True),
    "pruned and palettes": lambda model: palette(4, joint=True)(prune(model)),
    "pruned and int8": joint_linear,
}
ROWS = [("iOS16", name) for name in OLD] + [("iOS18", name) for name in NEW]


def run(path):
    with RUNNER.open(path, RunOptions()) as session:
        return session({"x": X})["y"]


@pytest.mark.parametrize("precision", ["FLOAT32", "FLOAT16"])
@pytest.mark.parametrize(("opset", "name"), ROWS)
def test_compressed_is_what_coremltools_decompresses(
    float_models, tmp_path, opset, name, precision
):
    paths = tmp_path / "compressed.mlpackage", tmp_path / "plain.mlpackage"
    with quiet():
        compressed = (NEW | OLD)[name](float_models[opset, precision])
        compressed.save(str(paths[0]))
        cto.decompress_weights(compressed).save(str(paths[1]))
    kinds = {operation.kind for operation in read_package(paths[0]).operations}
    assert any(kind.startswith("constexpr_") for kind in kinds)
    assert not any(o.kind.startswith("constexpr_") for o in read_package(paths[1]).operations)
    result, expected = map(run, paths)
    # Half precision rounds a weight after each of two unpacking steps, decompression only once.
    tolerance = 2e-2 if precision == "FLOAT16" else 2e-5
    np.testing.assert_allclose(result, expected, atol=tolerance * np.abs(expected).max(), rtol=0)
