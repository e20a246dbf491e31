"""displaCy's colours for the eight labels (registered as a spacy_displacy_colors entry point)."""

# Close in hue where the labels are close in meaning; dark text is legible on each.
DISPLACY_COLORS = {
    "人名": "#f9b4ab",
    "法人名": "#a9d6f5",
    "政治的組織名": "#8fb8ed",
    "その他の組織名": "#c5d8f7",
    "地名": "#b8e0a8",
    "施設名": "#dcea9f",
    "製品名": "#f7d794",
    "イベント名": "#dcb8ee",
}
