# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Debian systems as directory trees: for the pnodes of the local testbed and for the images of nodes."""
