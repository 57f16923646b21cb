"""The group whose members may moderate, and the one whose members look after the workers."""

from __future__ import annotations

from typing import Any

from django.db import migrations

GROUPS = {
    "Moderators": ("moderate_artworks", "Can moderate public works"),
    "Operators": ("operate_workers", "Can see and drain workers"),
}


def create_groups(apps: Any, schema_editor: Any) -> None:
    """Permissions are normally made after all migrations; these two are needed before."""
    content_type = apps.get_model("contenttypes", "ContentType")
    permission = apps.get_model("auth", "Permission")
    group = apps.get_model("auth", "Group")
    database = schema_editor.connection.alias
    users, _ = content_type.objects.using(database).get_or_create(app_label="gallery", model="user")
    for name, (codename, label) in GROUPS.items():
        allowed, _ = permission.objects.using(database).get_or_create(
            content_type=users, codename=codename, defaults={"name": label}
        )
        made, _ = group.objects.using(database).get_or_create(name=name)
        made.permissions.add(allowed)


class Migration(migrations.Migration):
    dependencies = [
        ("gallery", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(create_groups, migrations.RunPython.noop)]
