"""Networks: loading and cutting transformers models, and the students that are not BERTs."""
