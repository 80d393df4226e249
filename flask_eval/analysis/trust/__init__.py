"""How far a judge may be trusted: may it stand in for a person, how it differs from people, what its scores are worth.

Every module is pure: it takes the long table of ratings and gives frozen records. Each record carries n, an interval
with its method, and null with a reason (`undefined`) where a figure does not exist.

    alt_test       may the judge replace a person? (the alternative annotator test)
    ceiling        how well people agree with people, beside how well the judge does
    effects        severity, central tendency, use of the scale, length and self-preference, drift
    orthogonality  correlations between skills within the judge against those within people: halo
    noise          variance components and the smallest difference that can be told
    ppi            prediction-powered means and differences of models
    calibrate      the judge's scores put on the people's scale
    certificate    what was shown, bound by digest to judge card, prompt and rubric
"""
