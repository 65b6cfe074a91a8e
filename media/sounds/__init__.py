"""The sounds a gateway plays when an application has none of its own: WAV files, and ``make`` that makes them."""
