"""From a trained RUN to a bundle: write every variant, prove it equal, record goldens, describe."""
