"""From a trained RUN to a bundle: write every variant, check its parity, record goldens, describe."""
