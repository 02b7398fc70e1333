"""A small ELMo in its two files, made up, and what it computes in plain numpy, word by word."""

import json
from pathlib import Path

import h5py
import numpy as np

SIZES = {
    "char": 3,
    "filters": [[1, 4], [2, 3], [5, 2]],
    "highways": 2,
    "activation": "relu",
    "width": 5,
    "cell": 6,
    "layers": 2,
    "clip": 0.4,  # of small weights as much is clipped as 3 clips of large ones
    "residual": True,
    "scale": 0.7,  # of the weights
}


def options_of(**changes) -> dict:
    """``options.json``."""
    size = SIZES | changes
    return {
        "lstm": {
            "cell_clip": size["clip"],
            "proj_clip": size["clip"],
            "use_skip_connections": size["residual"],
            "n_layers": size["layers"],
            "projection_dim": size["width"],
            "dim": size["cell"],
        },
        "char_cnn": {
            "embedding": {"dim": size["char"]},
            "filters": size["filters"],
            "n_highway": size["highways"],
            "n_characters": 262,
            "max_characters_per_token": 50,
            "activation": size["activation"],
        },
        "n_train_tokens": 768648884,  # what training leaves there
    }


def arrays_of(seed: int = 0, **changes) -> dict[str, np.ndarray]:
    """The data sets of ``weights.hdf5`` by name."""
    size = SIZES | changes
    generator = np.random.default_rng(seed)
    total = sum(number for _, number in size["filters"])
    shapes = {"char_embed": (261, size["char"])}
    for at, (wide, number) in enumerate(size["filters"]):
        shapes[f"CNN/W_cnn_{at}"] = (1, wide, size["char"], number)
        shapes[f"CNN/b_cnn_{at}"] = (number,)
    for at in range(size["highways"]):
        for kind in ("carry", "transform"):
            shapes[f"CNN_high_{at}/W_{kind}"] = (total, total)
            shapes[f"CNN_high_{at}/b_{kind}"] = (total,)
    if size.get("projection", True):
        shapes["CNN_proj/W_proj"] = (total, size["width"])
        shapes["CNN_proj/b_proj"] = (size["width"],)
    for direction in range(2):
        for layer in range(size["layers"]):
            cell = f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
            shapes[f"{cell}/W_0"] = (2 * size["width"], 4 * size["cell"])
            shapes[f"{cell}/B"] = (4 * size["cell"],)
            shapes[f"{cell}/W_P_0"] = (size["cell"], size["width"])
    return {
        name: generator.normal(0, size["scale"], shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def write_elmo(folder: Path, *, seed: int = 0, **changes) -> Path:
    """The two files in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(options_of(**changes))
    (folder / "my_options.json").write_text(text, encoding="utf-8")
    with h5py.File(folder / "my_weights.hdf5", "w") as file:
        for name, array in arrays_of(seed, **changes).items():
            file[name] = array
    return folder


class ByHand:
    """The forward pass of a folder's two files, one word and one step at a time, in 64 bits."""

    def __init__(self, options: Path, weights: Path) -> None:
        self.options = json.loads(options.read_text("utf-8"))
        self.file: dict[str, np.ndarray] = {}
        with h5py.File(weights, "r") as file:
            file.visititems(
                lambda name, what: (
                    self.file.update({name: what[()].astype(np.float64)})
                    if isinstance(what, h5py.Dataset)
                    else None
                )
            )
        self.kept: dict = {}

    def token(self, word: str) -> np.ndarray:
        """(P,) of a word."""
        data = {"<S>": [256], "</S>": [257]}.get(word, list(word.encode("utf-8", "ignore")[:48]))
        numbers = [258, *data, 259]
        numbers += [260] * (50 - len(numbers))
        table = np.vstack(
            [np.zeros((1, self.file["char_embed"].shape[1])), self.file["char_embed"]]
        )
        letters = table[np.array(numbers) + 1]
        found = []
        for at, (wide, number) in enumerate(self.options["char_cnn"]["filters"]):
            kernel = self.file[f"CNN/W_cnn_{at}"][0].reshape(-1, number)
            each = [letters[p : p + wide].reshape(-1) @ kernel for p in range(50 - wide + 1)]
            found.append(np.max(each, axis=0) + self.file[f"CNN/b_cnn_{at}"])
        x = np.concatenate(found)
        x = np.maximum(x, 0) if self.options["char_cnn"]["activation"] == "relu" else np.tanh(x)
        for at in range(self.options["char_cnn"]["n_highway"]):
            one = {name.split("/")[1]: a for name, a in self.file.items() if f"high_{at}/" in name}
            gate = sigmoid(x @ one["W_carry"] + one["b_carry"])
            x = gate * np.maximum(x @ one["W_transform"] + one["b_transform"], 0) + (1 - gate) * x
        if "CNN_proj/W_proj" in self.file:
            x = x @ self.file["CNN_proj/W_proj"] + self.file["CNN_proj/b_proj"]
        return x

    def layers(self, words: list[str], row: int = 0, carry: bool = False) -> list[np.ndarray]:
        """(T + 2, 2 P) of each layer; with ``carry`` from where this row's last sentence ended."""
        tokens = [self.token(word) for word in ("<S>", *words, "</S>")]
        found = [np.array([np.concatenate([token, token]) for token in tokens])]
        ahead, back = tokens, tokens[::-1]
        for layer in range(self.options["lstm"]["n_layers"]):
            ahead = self._layer(0, layer, ahead, row, carry)
            back = self._layer(1, layer, back, row, carry)
            found.append(np.concatenate([np.array(ahead), np.array(back[::-1])], -1))
        return found

    def _layer(self, direction, layer, inputs, row, carry):
        cell = f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
        matrix, bias, down = (self.file[f"{cell}/{name}"] for name in ("W_0", "B", "W_P_0"))
        sizes = self.options["lstm"]
        zero = np.zeros(sizes["projection_dim"]), np.zeros(sizes["dim"])
        h, c = self.kept.get((direction, layer, row), zero) if carry else zero
        outputs = []
        for x in inputs:
            i, j, f, o = np.split(np.concatenate([x, h]) @ matrix + bias, 4)
            c = clipped(sigmoid(f + 1) * c + sigmoid(i) * np.tanh(j), sizes["cell_clip"])
            h = clipped((sigmoid(o) * np.tanh(c)) @ down, sizes["proj_clip"])
            outputs.append(h + x if sizes["use_skip_connections"] and layer else h)
        self.kept[direction, layer, row] = h, c
        return outputs


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def clipped(x, most):
    return np.clip(x, -most, most) if most else x
