"""One question each: choose, place, explain. Streamlit runs these files; nothing imports them."""
