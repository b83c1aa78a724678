"""HTML, SVG and JavaScript in the outputs, which run in the browser that opens the result."""

from IPython.display import HTML, SVG, Javascript, Markdown, display

display(HTML("<script>fetch('/formgrader/api/grades')</script><img src=x onerror=alert(1)><iframe src=/></iframe>"))
display(Javascript("alert(document.cookie)"))
display(SVG("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(1)</script></svg>"))
display(Markdown("[x](javascript:alert(1)) <script>alert(2)</script>"))
display({"text/html": {"not": ["a", "text"]}, "application/vnd.evil+json": {"a": 1}}, raw=True)


def add(x):
    return 0.0
