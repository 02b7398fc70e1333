"""What a person would write for one fine-tuning on MRPC: the plain rival of `end_to_end.py`.

plain_script.py MODEL GLUE_FOLDER LAYERS EPOCHS {loop,trainer}
"""

import sys
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from transformers import AutoModelForSequenceClassification, AutoTokenizer


def rows_of(path: Path) -> list[dict]:
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8-sig").splitlines()[1:]]
    return [{"a": row[3], "b": row[4], "labels": int(row[0])} for row in lines]


def main(model_path: str, folder: str, layers: str, epochs: str, kind: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model_path)
    model = AutoModelForSequenceClassification.from_pretrained(
        model_path, num_labels=2, num_hidden_layers=int(layers)
    )
    splits = {}
    for split in ("train", "dev"):
        rows = rows_of(Path(folder) / "MRPC" / f"{split}.tsv")
        texts = [row["a"] for row in rows], [row["b"] for row in rows]
        encoded = tokenizer(*texts, truncation=True, max_length=128)
        splits[split] = [
            {**{k: v[i] for k, v in encoded.items()}, "labels": row["labels"]}
            for i, row in enumerate(rows)
        ]
    if kind == "trainer":
        train_with_trainer(model, tokenizer, splits, float(epochs))
    else:
        train_in_a_loop(model, tokenizer, splits, int(epochs))
    model.save_pretrained("plain-student")


def train_in_a_loop(model, tokenizer, splits, epochs: int) -> None:
    def batches(rows, shuffle):
        return DataLoader(
            rows,
            32,
            shuffle=shuffle,
            collate_fn=lambda own: tokenizer.pad(own, return_tensors="pt"),
        )

    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01, fused=True)
    total = epochs * -(-len(splits["train"]) // 32)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / total)
    for _ in range(epochs):
        model.train()
        for batch in batches(splits["train"], True):
            if schedule.last_epoch == 0:
                print("first step", flush=True)
            model(**batch).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        model.eval()
        with torch.no_grad():
            right = sum(
                (model(**batch).logits.argmax(1) == batch["labels"]).sum().item()
                for batch in batches(splits["dev"], False)
            )
        print(f"accuracy {right / len(splits['dev']):.3f}", flush=True)


def train_with_trainer(model, tokenizer, splits, epochs: float) -> None:
    from transformers import DataCollatorWithPadding, Trainer, TrainerCallback, TrainingArguments

    class First(TrainerCallback):
        def on_step_begin(self, args, state, control, **kwargs):
            if state.global_step == 0:
                print("first step", flush=True)

    arguments = TrainingArguments(
        "plain-trainer",
        per_device_train_batch_size=32,
        per_device_eval_batch_size=64,
        num_train_epochs=epochs,
        learning_rate=1e-4,
        weight_decay=0.01,
        eval_strategy="epoch",
        save_strategy="no",
        report_to=[],
        use_cpu=not torch.accelerator.is_available(),
    )
    Trainer(
        model,
        arguments,
        train_dataset=splits["train"],
        eval_dataset=splits["dev"],
        data_collator=DataCollatorWithPadding(tokenizer),
        callbacks=[First()],
        compute_metrics=lambda found: {
            "accuracy": float((found.predictions.argmax(1) == found.label_ids).mean())
        },
    ).train()


if __name__ == "__main__":
    main(*sys.argv[1:])
