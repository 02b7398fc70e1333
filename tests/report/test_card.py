"""The model card says how texts were cut, and its code cuts as training did or says that it does not."""

from chatstill.report.card import CardFacts, model_card

FACTS = {"task": "chat", "method": "KD", "teacher": "t", "pairs": True, "labels": ["no", "yes"]}


def card(**more):
    text = model_card(CardFacts(**FACTS, max_seq_length=64, **more), None)
    return " ".join(text.split("## Use")[0].split()), text.split("```python")[1].split("```")[0]


def test_a_row_that_is_cut_as_a_whole():
    said, code = card()
    assert "Rows were cut to 64 tokens" in said and "kept" not in said
    assert "truncation=True, max_length=64" in code and "truncation_side" not in code


def test_texts_that_were_cut_before_the_row_are_named_and_the_code_does_not_pretend():
    said, code = card(side_lengths=(20, None))
    assert "the first text to 20 tokens" in said and "second" not in said
    assert "does not cut texts to those" in said and "max_length=64" in code


def test_texts_that_were_cut_at_their_beginning_are_so_by_the_code():
    said, code = card(truncation_side="left")
    assert "at their beginning" in said
    assert 'tokenizer.truncation_side = "left"' in code


def test_a_network_that_cuts_texts_itself_gets_whole_rows():
    said, code = card(side_lengths=(20, 41), cuts_texts=True, truncation_side="left")
    assert "first text to 20 and the second text to 41 tokens, at their beginning" in said
    assert "truncation" not in code and "max_length" not in code


def test_a_temperature_at_the_end_of_its_range_is_not_praised():
    for temperature, praised in ((1.7, True), (0.1, False)):
        facts = CardFacts(**FACTS, max_seq_length=64, extras={"temperature": temperature})
        assert ("end of its range" not in model_card(facts, None)) == praised
