"""Other people's formats: FLASK's release, data sets of the Hugging Face hub, Arrow folders."""
