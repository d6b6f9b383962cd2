"""What can be seen in a picture, found by small models that ship inside wheels; nothing is fetched.

bytes -> decoded (upright RGB) -> faces (CenterFace), lines (PP-OCRv6) -> roles (title, text, rating mark),
         salience (U²-Net-p) -> key object -> Element: kind, box in 0..1, text, confidence

No model here knows persons or logos, so none are ever reported.
"""
