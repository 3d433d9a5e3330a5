"""The page for people: a run folder in, one HTML file out.

gather    the files of a finished run as arrays and numbers: shares, intervals, classes, histories, another run
draw      static drawings in pixels, sprite sheets, layouts in the plane; none of it reads a file
say       headings and facts as text, stated from the numbers
view      what the template prints, by section
page      the templates, with the prose that only puts values into words; styles and script
render    all of it joined to one file
"""
