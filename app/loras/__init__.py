"""Personal LoRAs: which there are, how one is trained as a job, and how videos use them."""
