"""The world's own small language models: their tokenizer, texts, training and the refiner."""
