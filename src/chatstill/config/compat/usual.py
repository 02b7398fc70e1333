"""Words of other programs that no spelling leads to: what stands for them here."""

from ...lookup import plain
from ..places import KeyPath

_EPOCHS, _BATCH = "'num_train_epochs'", "'per_gpu_train_batch_size'"
_DEPTH = "'num_hidden_layers' in student_architectures"
_NETWORK = "the network's folder is 'model_name_or_path' in teacher_architectures"
_WEIGHT = (
    "each term of a method has a weight of its own, in its block, such as "
    '"distillation": {"terms": {"soft": {"weight": 0.5}}}'
)
_TEMPERATURE = (
    '\'temperature\' of a term, such as "distillation": {"terms": {"soft": {"temperature": 4}}}'
)
_SIZES = "a student of other sizes is described by 'config_file' in student_architectures"

AT_THE_TOP = {
    "batch_size": _BATCH,
    "bs": _BATCH,
    "epochs": _EPOCHS,
    "epoch": _EPOCHS,
    "num_epoch": _EPOCHS,
    "n_epochs": _EPOCHS,
    "lr": "'learning_rate'",
    "max_len": "'max_seq_length'",
    "warmup": "'warmup_percentage'",
    "alpha": _WEIGHT,
    "beta": _WEIGHT,
    "gamma": _WEIGHT,
    "T": _TEMPERATURE,
    "temp": _TEMPERATURE,
    "kd_temperature": _TEMPERATURE,
    "layers": _DEPTH,
    "num_layers": _DEPTH,
    "n_layers": _DEPTH,
    "student_layers": _DEPTH,
    "hidden_size": _SIZES,
    "num_attention_heads": _SIZES,
    "intermediate_size": _SIZES,
    "teacher": "'teacher_architectures'",
    "teacher_model": "'teacher_architectures'",
    "student": "'student_architectures'",
    "student_model": "'student_architectures'",
    "model": _NETWORK,
    "model_path": _NETWORK,
    "task": "'task_name'",
    "dataset": "'task_name', and 'data_dir' for its folder",
    "method": "'model_type'",
    "output": "'output_dir'",
    "labels": "'labels' in the block data, beside the files that it names",
    "num_labels": "'labels' in the block data, or the network's own config.json",
    "fp32": "float32 is what a run computes in where neither 'fp16' nor 'bf16' is true",
}
IN_NETWORKS = {
    "path": "'model_name_or_path'",
    "model": "'model_name_or_path'",
    "name": "'model_name_or_path'",
    "config": "'config_file'",
    "tokenizer": "'tokenizer_name_or_path'",
    "layers": "'num_hidden_layers'",
    "num_layers": "'num_hidden_layers'",
    "n_layers": "'num_hidden_layers'",
    "hidden_size": "'config_file', a JSON file with the architecture",
    "num_attention_heads": "'config_file', a JSON file with the architecture",
    "intermediate_size": "'config_file', a JSON file with the architecture",
}
IN_DISTILLATION = {
    "alpha": _WEIGHT,
    "beta": _WEIGHT,
    "gamma": _WEIGHT,
    "T": "'temperature'",
    "temp": "'temperature'",
    "kd_temperature": "'temperature'",
}


def usual_word(path: KeyPath) -> str:
    """What an unknown key is called here, as a hint; empty where nobody knows.

    Args:
        path: Of the key.
    """
    inside = str(path[-2]) if len(path) > 1 else ""
    words = AT_THE_TOP if not inside else {}
    if inside.endswith("_architectures"):
        words = IN_NETWORKS
    elif path[0] == "distillation":
        words = IN_DISTILLATION
    found = {plain(word): meant for word, meant in words.items()}.get(plain(str(path[-1])))
    return f"Here it is {found}." if found and found.startswith("'") else _sentence(found or "")


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}." if words else ""
