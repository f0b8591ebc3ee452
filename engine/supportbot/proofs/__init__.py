"""Proofs about a whole compiled bot: what can never happen, with a witness message for every claim."""
