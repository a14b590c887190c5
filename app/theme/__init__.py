"""How the studio looks: every colour, outline, font and icon stands here and nowhere else."""
