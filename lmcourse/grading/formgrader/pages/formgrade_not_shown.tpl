{%- set base_url = resources.base_url -%}
{%- extends 'gradebook_base.tpl' -%}

{%- block body -%}
<p>This notebook cannot be shown, not even as plain text: {{ filename }}</p>
<p>It takes too long, or it is no notebook; the terminal in which this server runs says more. Read the file in an editor for text, and give points in the lists of this screen or by the feedback's table.</p>
{%- endblock -%}
