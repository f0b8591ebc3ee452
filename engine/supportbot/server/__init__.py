"""The HTTP server: views, middlewares, channel codecs and pages.

Imported by `serve` only, because aiohttp is slow to import.
"""
