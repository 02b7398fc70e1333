"""Names: of plugins, of types of models, and as users write them."""
