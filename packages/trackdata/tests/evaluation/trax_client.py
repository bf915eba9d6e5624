"""A TraX client as a program, because that of the ``trax`` package takes its process with it when a server is lost.

Standard input holds one JSON object: ``server``, the arguments of Python that start one; ``frames``, a ``.npy`` file
of ``(N, H, W, 3)`` uint8; ``steps``, each ``["initialize", frame, objects]``, ``["frame", frame]`` or ``["quit"]``. A
frame is its number, or ``[number, "memory" | "buffer" | "file"]``; an object is ``{"rectangle": [x, y, w, h]}``,
``{"polygon": [[x, y], ...]}`` or ``{"mask": rows, "offset": [x, y]}``. Standard output holds one JSON object: what the
server offers and, in ``answers``, the objects of each reply with their ``properties``, or the ``error`` that ended it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import trax
from trax.client import Client


def image(frame: np.ndarray, kind: str, folder: Path) -> trax.Image:
    if kind == "memory":
        return trax.MemoryImage.create(frame)
    encoded = cv2.imencode(".png", frame[..., ::-1])[1].tobytes()
    if kind == "buffer":
        return trax.BufferImage.create(encoded)
    path = folder / f"{len(list(folder.iterdir()))}.png"
    path.write_bytes(encoded)
    return trax.FileImage.create(str(path))


def encode(given: dict) -> tuple[trax.Region, dict]:
    if "rectangle" in given:
        return trax.Rectangle.create(*given["rectangle"]), {}
    if "polygon" in given:
        return trax.Polygon.create([tuple(point) for point in given["polygon"]]), {}
    return trax.Mask.create(np.array(given["mask"], np.uint8), *given["offset"]), {}


def decode(region: trax.Region, properties: dict) -> dict:
    if region.type == trax.Region.RECTANGLE:
        return {"rectangle": region.bounds(), "properties": properties}
    if region.type == trax.Region.POLYGON:
        return {"polygon": list(region), "properties": properties}
    return {"mask": region.array(normalize=True).tolist(), "properties": properties}


def main() -> None:
    asked = json.load(sys.stdin)
    frames, folder = np.load(asked["frames"]), Path(tempfile.mkdtemp())
    command = [sys.executable, *asked["server"]]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    client = Client((server.stdin.fileno(), server.stdout.fileno()), log=lambda text: None)
    told = {"name": client.tracker_name, "regions": client.region_formats, "answers": []}
    try:
        for call, *arguments in asked["steps"]:
            if call == "quit":
                client.quit()
                told["exit"] = server.wait(timeout=30)
                continue
            number, kind = arguments[0] if isinstance(arguments[0], list) else (arguments[0], "memory")
            images = {"color": image(frames[number], kind, folder)}
            if call == "initialize":
                objects, _ = client.initialize(images, [encode(given) for given in arguments[1]], {})
            else:
                objects, _ = client.frame(images, objects=[])
            told["answers"].append([decode(*entry) for entry in objects])
    except trax.TraxException as error:
        told["error"] = str(error)
    server.stdin.close()  # a client that is gone
    told.setdefault("exit", server.wait(timeout=30))
    told["stderr"] = server.stderr.read().decode()
    print(json.dumps(told), flush=True)
    os._exit(0)  # the destructors of `trax` may crash


main()
