"""The web console at ``/console``: static pages that ask ``/v1``, as any other client does. In reading order:

``app``    [IO] the pages, signing in and out
``feed``   [IO] what happens, as it happens
``static`` index.html, console.css, js/ (plain ES modules: app, api, words, table, then a file a page)
"""
