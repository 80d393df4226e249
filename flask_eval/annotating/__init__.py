"""Annotations by a model: domains, skills, difficulty, checklists, references."""
