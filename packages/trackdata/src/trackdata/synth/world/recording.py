"""Drawing at random how a world is recorded."""

from __future__ import annotations

import numpy as np

from trackdata.synth.config import SynthConfig, WorldConfig
from trackdata.synth.curves import Curve, log_uniform, wave
from trackdata.synth.world.films import Film


def sample_film(rng: np.random.Generator, config: SynthConfig, options: WorldConfig) -> Film:
    """A film with the defects that ``config`` and ``options`` allow."""
    blur, noise = config.blur, config.noise
    odd = dict(
        zip(
            ("grey", "bars", "reduced", "compressed", "printed", "banded"),
            rng.uniform(size=6)
            < (options.grey, options.bars, options.reduced, options.compressed, options.printed, options.banded),
            strict=True,
        )
    )
    focus = blur and rng.uniform() < 0.35
    defocus = Curve(rng.uniform(-0.3, 0.5), waves=(wave(rng, blur * rng.uniform(0, 1.2), (20, 90)),))
    even = config.size[0] % 2 == 0 and config.size[1] % 2 == 0  # 4:2:0 needs even sizes
    return Film(
        exposure=float(np.clip(rng.normal(112, 28), 40, 180)),
        shutter=min(1.0, blur * float(rng.choice((0.0, rng.uniform(0.2, 1.0)), p=(0.4, 0.6)))),
        defocus=defocus if focus else Curve(),
        backdrop=float(rng.choice((0.0, rng.uniform(0.5, 3.0)), p=(0.75, 0.25))) * min(1.0, blur),
        saturation=0.0 if odd["grey"] else float(np.clip(rng.normal(0.95, 0.2), 0.3, 1.4)),
        gamma=float(np.exp(rng.normal(0, 0.15))),
        vignette=float(rng.choice((0.0, rng.uniform(0.1, 0.6)), p=(0.6, 0.4))),
        banding=(float(rng.uniform(0.03, 0.15)), float(rng.uniform(0.7, 4))) if odd["banded"] else (0.0, 0.0),
        noise=(noise * log_uniform(rng, 0.4, 7.0), noise * float(rng.choice((0.0, rng.uniform(0, 8))))),
        reduction=float(rng.uniform(1.3, 3.5)) if odd["reduced"] else 1.0,
        sharpening=float(rng.choice((0.0, rng.uniform(0.3, 1.2)), p=(0.75, 0.25))),
        bars=_bars(rng, config.size) if odd["bars"] else (0, 0, 0, 0),
        print=int(rng.integers(2**31)) if odd["printed"] else None,
        codec=("mpeg4", int(rng.integers(4, 25))) if odd["compressed"] and even else None,
        quality=int(np.clip(95 - noise * rng.uniform(0, 40), 30, 95)),
    )


def _bars(rng: np.random.Generator, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Black bars above and below, or left and right."""
    width, height = size
    share = rng.uniform(0.05, 0.14)
    if rng.uniform() < 0.7:
        bar = round(share * height)
        return (0, bar, 0, bar)
    bar = round(share * width)
    return (bar, 0, bar, 0)
