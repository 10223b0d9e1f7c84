"""wct: whitening and colouring at several levels (Li et al., NeurIPS 2017).

Numbers of iterations are chosen at export by the calibration pictures and stand in the manifest
(docs/reference/newton-schulz.md). On VGG-19 a style code has 611,776 values, 2.4 MB.

int8 of five levels of cd16x: the convolutions of the deepest encoder stay float, as whitening
multiplies their rounding; 73 % of the multiplications are integer. At 256 that leaves 27.9 dB
(21.8 with all in int8), SSIM 0.85 and a style distance 0.9 % smaller; the paintings look alike,
with a little more grain. No few more layers in float bring 35 dB: with the ten that win most it is
31.7. At 512, three more in float leave 33.6 dB, SSIM 0.92 and a style distance 2.4 % larger. So
int8 files that whiten are held to SSIM 0.8 and style +5 %, and `--budget` asks for more.

fp16 of five levels, first whitening in float32: 57 dB at 256 and 60 at 512 in ONNX, 52 at 256 in
Core ML. At 128 Core ML has 47 and is refused: its second level has the few pixels for its channels
that the first has at 256. Keep fewer levels there, such as `--levels 3,2,1`, or fp32.
"""

from __future__ import annotations

from styleexport.core.code_layout import Blending
from styleexport.models.networks._levels import Kind, description
from styleexport.models.transforms import wct

KIND = Kind("wct", wct.apply, wct.exact, Blending.EXACT)
NETWORK = description(
    KIND,
    summary="Whitening and colouring at five levels of compressed VGG-19, or some; exact blends",
    paper="Li et al., Universal Style Transfer via Feature Transforms, NeurIPS 2017",
)
