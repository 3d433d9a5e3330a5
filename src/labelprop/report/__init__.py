"""The page for people: a run folder in, one HTML file out.

gather       the files of a run folder as arrays (reads)
numbers      shares, intervals, bands, thresholds
classes      per class and per confusion
training     curves and comparisons
embedding, mds, subgroups     the papers' analyses: numbers by epoch, layouts in the plane, groups inside a class
against      another run on the same data
findings, findings_embedding     headings, stated from the numbers
summary      the four paragraphs under the headline
pictures, charts, plots, evidence, projection     sprite sheets, static drawings, which rows are shown and where
view, view_*, table, render                everything the template prints; the page itself
"""
