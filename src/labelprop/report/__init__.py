"""The page for people: a run folder in, one HTML file out.

gather       the files of a run folder as arrays (reads)
numbers      shares, intervals, bands, thresholds
classes      per class and per confusion
training     curves and comparisons
findings     headings, stated from the numbers
summary      the four paragraphs under the headline
pictures, charts, evidence, projection     sprite sheets, static drawings, which rows are shown and where
view, table, tables, render                everything the template prints; the page itself
"""
