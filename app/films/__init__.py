"""Long videos: what one may ask for, its files part by part, and how it is made and shown."""
